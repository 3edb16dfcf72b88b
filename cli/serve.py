"""``onnx2snn serve``: the HTTP service on this machine, with its workers and its web page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from onnx2snn.cli.extras import need

SERVER_MODULES = ("dbos", "fastapi", "pydantic_settings", "sqlalchemy", "uvicorn")
"""What the extra ``server`` brings, as far as the service cannot start without it."""


def serve(
    host: Annotated[
        str | None,
        typer.Option("--host", help="Address to listen on; 127.0.0.1 if not given."),
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port to listen on; 8000 if not given.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help="Where everything is kept.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", help="Jobs at once; 0 leaves them to 'onnx2snn worker'."
        ),
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Show every setting and exit.")
    ] = False,
    new_key: Annotated[
        str | None,
        typer.Option("--new-key", metavar="NAME", help="Make an API key, show it once and exit."),
    ] = None,
    revoke_key: Annotated[
        str | None,
        typer.Option("--revoke-key", metavar="NAME", help="Revoke the keys of a name and exit."),
    ] = None,
) -> None:
    """Serve conversions over HTTP, with a web page at /.

    Every setting can be given as an environment variable ONNX2SNN_NAME. Needs the extra 'server'.
    """
    need("server", SERVER_MODULES, "the service")
    from onnx2snn.server.settings import Settings, shown

    given = {"host": host, "port": port, "data_dir": data_dir, "workers": workers}
    settings = Settings.model_validate(
        Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    )
    if print_config:
        typer.echo(json.dumps(shown(settings), indent=2))
        return
    if new_key is not None or revoke_key is not None:
        from onnx2snn.server.api_keys import create_key
        from onnx2snn.server.api_keys import revoke_key as revoke
        from onnx2snn.server.context import open_context

        context = open_context(settings)
        if new_key is not None:
            typer.echo(create_key(context, new_key))
        if revoke_key is not None:
            typer.echo(f"revoked {revoke(context, revoke_key)}")
        return
    from onnx2snn.server.serve import serve as run

    run(settings)

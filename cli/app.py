"""The ``onnx2snn`` command. One file a verb; what a verb needs is imported when it runs."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from onnx2snn.cli.check import check
from onnx2snn.cli.convert import convert
from onnx2snn.cli.demo import demo
from onnx2snn.cli.diagnose import diagnose
from onnx2snn.cli.evaluate import evaluate
from onnx2snn.cli.export import export
from onnx2snn.cli.finetune import finetune
from onnx2snn.cli.inspect import inspect
from onnx2snn.cli.ops import ops
from onnx2snn.cli.presets import presets
from onnx2snn.cli.serve import serve
from onnx2snn.cli.simulate import simulate
from onnx2snn.cli.verb import Verb
from onnx2snn.cli.worker import worker

VERBS = (
    *(convert, check, evaluate, diagnose, simulate, inspect, export, finetune, presets, ops, demo),
    *(serve, worker),
)
NEEDY = (convert, check, evaluate, diagnose, inspect, export, finetune)


def main() -> None:
    """Run the command line."""
    # Read by ONNX Runtime when it is first imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    build_app()(prog_name="onnx2snn")


def build_app() -> typer.Typer:
    """Return the command with all its verbs."""
    app = typer.Typer(
        name="onnx2snn",
        help="Convert trained ONNX networks into spiking networks that stock ONNX Runtime runs.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for verb in VERBS:
        app.command(cls=Verb, no_args_is_help=verb in NEEDY)(verb)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"onnx2snn {version('onnx2snn')}")
        except PackageNotFoundError:
            typer.echo("onnx2snn (not installed)")
        raise typer.Exit


def _root(
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar="ONNX2SNN_DEBUG", help="Show tracebacks of errors."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Convert trained ONNX networks into spiking networks that stock ONNX Runtime runs."""


if __name__ == "__main__":
    main()

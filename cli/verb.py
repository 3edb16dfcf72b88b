"""How every verb ends: errors become text, JSON and an exit code; a traceback only if asked for."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand


class Verb(TyperCommand):
    """A command whose errors are told in the error tree's words."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb.

        Raises:
            typer.Exit: it failed; the exit code says how.
        """
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None
        except Exception as error:
            if ctx.find_root().params.get("debug"):
                raise
            raise typer.Exit(_tell(error, bool(ctx.params.get("as_json")))) from None


def _tell(error: Exception, as_json: bool) -> int:
    from onnx2snn.cli.failure import describe_failure, exit_code
    from onnx2snn.cli.output import print_failure

    if isinstance(error, BrokenPipeError):  # the reader of our output has gone
        return 0
    print_failure(describe_failure(error), as_json=as_json)
    return exit_code(error)

"""Where a command writes: results to stdout, everything else to stderr.

Under ``--json`` stdout holds one JSON value and nothing else. Names out of models are strangers'
text: control characters are shown, never sent to the terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unicodedata import category

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from onnx2snn.cli.failure import Failure
    from onnx2snn.ir.findings import Finding

Progress = Callable[[str, float], None]
"""Receives what is going on and the share done, in [0, 1]."""

_PIPED_WIDTH = 120
_SEVERITY_STYLES = {"info": "dim", "warning": "yellow", "error": "red"}


def results(as_json: bool) -> Console:
    """Return the console for people's results: stdout, or stderr when stdout carries JSON."""
    return _console(stderr=as_json)


def notes() -> Console:
    """Return the console for progress and errors: stderr."""
    return _console(stderr=True)


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPED_WIDTH)
    return console


def print_json(value: BaseModel | Any) -> None:
    """Write one JSON value to stdout; NaN and infinity become null."""
    plain = json.loads(value.model_dump_json()) if isinstance(value, BaseModel) else value
    sys.stdout.write(json.dumps(plain, indent=2, ensure_ascii=True, allow_nan=False) + "\n")


def printable(text: str) -> str:
    """Return a text with control characters written out, safe for a terminal."""
    return "".join(
        character if _is_harmless(character) else repr(character)[1:-1] for character in text
    )


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character == "\n" or category(character) == "Zs"


def cell(text: object, style: str = "") -> Text:
    """Return a text that is shown as it is: no markup, no control characters."""
    return Text(printable(str(text)), style=style, overflow="fold")


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "", numeric: int = 0
) -> Table:
    """Return a plain table.

    Args:
        columns: the headings.
        rows: the cells.
        title: stands above.
        numeric: number of columns at the right end that hold numbers.
    """
    drawn = Table(box=None, pad_edge=False, title=title or None, title_justify="left")
    for index, name in enumerate(columns):
        number = index >= len(columns) - numeric
        drawn.add_column(cell(name, "bold"), justify="right" if number else "left", no_wrap=number)
    for row in rows:
        drawn.add_row(*(item if isinstance(item, Text) else cell(item) for item in row))
    return drawn


def facts(pairs: Sequence[tuple[str, object]]) -> Table:
    """Return names and values in two columns."""
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(style="dim", no_wrap=True)
    drawn.add_column()
    for name, value in pairs:
        drawn.add_row(cell(name), value if isinstance(value, Text) else cell(value))
    return drawn


def tell(console: Console, text: object, style: str = "") -> None:
    """Write a text: wrapped at words on a terminal, line for line into a file or pipe."""
    console.print(cell(text, style), soft_wrap=not console.is_terminal)


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Write one line per finding; on a terminal what to do stands on a line of its own."""
    for finding in findings:
        apart = bool(finding.remedy) and console.is_terminal
        told = finding.model_copy(update={"remedy": ""}) if apart else finding
        line = Text(f"{finding.severity}: ", style=_SEVERITY_STYLES[finding.severity])
        line.append_text(cell(f"{told} [{finding.code}]", "default"))
        console.print(line, soft_wrap=not console.is_terminal)
        if apart:
            console.print(cell(f"  What to do: {finding.remedy}", "dim"))


def print_failure(failure: Failure, *, as_json: bool) -> None:
    """Write an error: its text to stderr and, under ``--json``, an object to stdout."""
    if as_json:
        print_json({"error": failure.model_dump(mode="json")})
    tell(notes(), failure, "red")


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """Show a bar on stderr while the block runs, if stderr is a terminal.

    Yields:
        The function that moves the bar.
    """
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[stage]}", markup=False),
        TimeElapsedColumn(),
    )
    console = notes()
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(printable(title), total=None, stage="")

        def move(stage: str, share: float) -> None:
            known = 1.0 if 0 < share < 1 else None
            bar.update(task, completed=share, total=known, stage=printable(stage))

        yield move

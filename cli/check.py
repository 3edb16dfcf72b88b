"""``onnx2snn check``: before converting, node by node, what would happen and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnx2snn.cli.options import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from onnx2snn.converter.check import CheckReport


def check(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Count operators that would not spike as problems.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell node by node what a conversion would make of a model, and why.

    Exit code: 0 it converts, 2 it does not.
    """
    from onnx2snn.cli.failure import BAD_INPUT
    from onnx2snn.cli.output import print_json, progress, results
    from onnx2snn.converter.check import check as examine

    with progress(f"check {model.name}"):
        report = examine(model, strict=strict)
    if as_json:
        print_json(report)
    else:
        print_check(results(as_json), report)
    if not report.convertible:
        raise typer.Exit(BAD_INPUT)


def print_check(console: Console, report: CheckReport) -> None:
    """Write what became of each node, and the verdict."""
    from onnx2snn.cli.output import cell, print_findings, table

    rows = [(node.node, node.op, node.fate, node.detail) for node in report.nodes]
    if rows:
        console.print(table(("node", "operator", "fate", "treatment"), rows))
        console.print()
    if report.findings:
        print_findings(console, report.findings)
        console.print()
    verdict, style = ("converts", "green") if report.convertible else ("does not convert", "red")
    console.print(cell(f"{report.name}: {verdict}", f"bold {style}"))

"""``onnx2snn export``: a spiking network in another format."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnx2snn.cli.options import AsJson, SpikingFile

if TYPE_CHECKING:
    from onnx2snn.converter.exporters import ExportReport


class Format(StrEnum):
    """The formats there are."""

    NIR = "nir"
    STEP = "step"
    NPZ = "npz"


class Target(StrEnum):
    """The readers of NIR whose importers are known."""

    SINABS = "sinabs"
    NORSE = "norse"
    SNNTORCH = "snntorch"
    SPIKINGJELLY = "spikingjelly"
    LAVA = "lava"
    SPINNAKER2 = "spinnaker2"


def export(
    snn: SpikingFile,
    to: Annotated[
        Format,
        typer.Option(
            "--to", help="NIR graph, ONNX of one timestep, or all numbers by layer (.npz)."
        ),
    ],
    target: Annotated[
        Target | None, typer.Option("--target", help="The framework that will read the NIR file.")
    ] = None,
    allow_losses: Annotated[
        bool,
        typer.Option("--allow-losses", help="Write the file although some meaning is lost."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", dir_okay=False, help="Beside SNN if not given."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a spiking network as NIR, as ONNX of one timestep, or as npz.

    Everything the format cannot say is listed; losses are refused unless --allow-losses is given.
    """
    from onnx2snn.cli.output import print_json
    from onnx2snn.converter.exporters import default_path
    from onnx2snn.converter.exporters import export as write

    report = write(
        snn,
        to=to.value,
        target=target.value if target else None,
        allow_losses=allow_losses,
        output=output or default_path(snn, to.value),
    )
    if as_json:
        print_json(report)
    else:
        _print(report)


def _print(report: ExportReport) -> None:
    from onnx2snn.cli.output import cell, print_findings, results, table
    from onnx2snn.runtime.reports.numerals import size

    console = results(as_json=False)
    rows = [
        (name, kind, "x".join(str(length) for length in shape) or "-")
        for name, kind, shape in report.layers
    ]
    console.print(table(("layer", "kind", "shape"), rows))
    for findings in (report.findings, report.lint):
        if findings:
            console.print()
            print_findings(console, findings)
    console.print()
    console.print(cell(f"wrote {report.path} ({size(report.size)})", "bold"), soft_wrap=True)

"""``onnx2snn diagnose``: which error of a spiking network comes from where, and what to try."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnx2snn.cli.options import (
    AsJson,
    Data,
    Layout,
    Mean,
    Memory,
    Report,
    Scale,
    Size,
    SpikingFile,
    Std,
    Threads,
    image_options,
)

if TYPE_CHECKING:
    from rich.console import Console

    from onnx2snn.runtime.diagnose import Diagnosis

Timesteps = Annotated[
    int | None, typer.Option("--timesteps", min=1, help="T; the network's own if not given.")
]
SampleCount = Annotated[
    int, typer.Option("--samples", metavar="N", min=1, help="Samples to use, the first N.")
]
EachLayer = Annotated[
    bool,
    typer.Option(
        "--layers/--no-layers", help="Also run once for every layer, its errors switched off."
    ),
]


def diagnose(
    snn: SpikingFile,
    ann: Annotated[Path, typer.Option("--ann", metavar="MODEL", help="The ANN it was made from.")],
    data: Data,
    timesteps: Timesteps = None,
    samples: SampleCount = 64,
    layers: EachLayer = True,
    memory: Memory = "2GiB",
    threads: Threads = 0,
    report: Report = None,
    as_json: AsJson = False,
    size: Size = None,
    mean: Mean = "0",
    std: Std = "1",
    layout: Layout = None,
    scale: Scale = "1/255",
) -> None:
    """Find which error costs most, in which layer, by switching errors off one by one."""
    from onnx2snn.cli.output import print_json, progress, results
    from onnx2snn.cli.samples import read_samples
    from onnx2snn.converter.source.read import read_model
    from onnx2snn.ir.model import SpikingModel
    from onnx2snn.runtime.diagnose import diagnose as measure
    from onnx2snn.runtime.diagnose import write_diagnosis

    images = image_options(size, mean, std, layout, scale)
    model = SpikingModel.load(snn)
    source = read_model(ann)
    with progress(f"diagnose {snn.name}") as move:
        given = read_samples(data, model, images, move)
        diagnosis = measure(
            model,
            source.model,
            {name: values[:samples] for name, values in given.arrays.items()},
            None if given.labels is None else given.labels[:samples],
            timesteps=timesteps,
            each_layer=layers,
            memory=memory,
            threads=threads,
            progress=lambda done, total: move("runs", done / total),
        )
    if report is not None:
        write_diagnosis(report, model=model, diagnosis=diagnosis)
    if as_json:
        print_json(diagnosis)
    else:
        print_diagnosis(results(as_json), diagnosis)


def print_diagnosis(console: Console, diagnosis: Diagnosis) -> None:
    """Write a diagnosis for people."""
    from onnx2snn.cli.output import facts, table
    from onnx2snn.runtime.reports.numerals import count, figure, percent

    pairs = [
        ("model", f"{diagnosis.model}, preset {diagnosis.preset}"),
        ("samples", count(diagnosis.samples)),
        ("timesteps", f"T = {diagnosis.timesteps}, S = {diagnosis.stimulus_steps}"),
        ("error that costs most", diagnosis.worst_kind or "none"),
        ("layer to look at first", diagnosis.worst_layer or "none"),
        ("what to try", diagnosis.advice),
    ]
    if diagnosis.accuracy is not None:
        told = f"{percent(diagnosis.accuracy)}, ANN {percent(diagnosis.ann_accuracy)}"
        pairs.insert(3, ("accuracy", told))
    console.print(facts(pairs))
    console.print()
    rows: list[tuple[object, ...]] = [
        ("none", figure(diagnosis.relative_error, 3), "", percent(diagnosis.agreement))
    ]
    rows += [
        (
            row.kind,
            figure(row.relative_error, 3),
            figure(row.removed, 3),
            percent(row.agreement),
        )
        for row in diagnosis.errors
    ]
    rows.append(("all", figure(diagnosis.rest_error, 3), "", percent(diagnosis.rest_agreement)))
    heads = ("switched off", "rel. error", "removed", "agreement")
    console.print(table(heads, rows, numeric=3))
    console.print()
    console.print(
        table(
            ("layer", "own errors", "rel. error", "correlation", "outputs without"),
            [
                (
                    layer.name,
                    _own(layer.own),
                    figure(layer.relative_error, 3),
                    figure(layer.correlation, 5),
                    figure(layer.output_error, 3),
                )
                for layer in diagnosis.layers
            ],
            numeric=3,
        )
    )


def _own(errors: dict[str, float]) -> str:
    """Return the greatest errors of a layer, in words."""
    greatest = sorted(errors.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {value:.2g}" for name, value in greatest) or "none"

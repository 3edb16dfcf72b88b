"""``onnx2snn finetune``: a trained network learns to live with spiking neurons' activations."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnx2snn.cli.extras import need
from onnx2snn.cli.options import (
    DATA_HELP,
    AsJson,
    Layout,
    Mean,
    Scale,
    Size,
    Std,
    image_options,
)

if TYPE_CHECKING:
    from rich.console import Console

    from onnx2snn.converter.finetuning import FinetuneReport


class ActivationChoice(StrEnum):
    """What takes the place of ReLU and its kin."""

    CLIPFLOOR = "clipfloor"
    LEAKY_CLIPFLOOR = "leaky-clipfloor"
    THRESHOLD_RELU = "threshold-relu"


class DeviceChoice(StrEnum):
    """Where the training runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def finetune(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The trained ONNX network.")],
    data: Annotated[
        Path,
        typer.Option("--data", metavar="TRAIN", help=f"Training samples: {DATA_HELP}."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="The tuned network."),
    ],
    activation: Annotated[
        ActivationChoice, typer.Option("--activation", help="What replaces ReLU and its kin.")
    ] = ActivationChoice.CLIPFLOOR,
    levels: Annotated[
        int, typer.Option("--levels", metavar="L", min=1, help="Steps of a staircase.")
    ] = 8,
    epochs: Annotated[
        int, typer.Option("--epochs", metavar="N", min=1, help="Passes over the data.")
    ] = 10,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, help="Samples per step of the optimiser.")
    ] = 64,
    learning_rate: Annotated[
        float,
        typer.Option(
            "--learning-rate", metavar="R", help="Of Adam, at the start, relative to weights."
        ),
    ] = 2e-3,
    slope: Annotated[
        float,
        typer.Option("--slope", metavar="A", help="leaky-clipfloor: slope where a ReLU had none."),
    ] = 0.1,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the order of samples.")] = 0,
    device: Annotated[
        DeviceChoice, typer.Option("--device", help="auto: a GPU where there is one.")
    ] = DeviceChoice.AUTO,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from FILE.checkpoint, if it is there.")
    ] = False,
    as_json: AsJson = False,
    size: Size = None,
    mean: Mean = "0",
    std: Std = "1",
    layout: Layout = None,
    scale: Scale = "1/255",
) -> None:
    """Replace ReLU and its kin by activations that spiking neurons compute exactly, and train.

    The network learns to agree with its own original and, if TRAIN has labels, with them. Needs
    PyTorch: pip install 'onnx2snn[train]'.
    """
    images = image_options(size, mean, std, layout, scale)
    need("train", ("torch",), "fine-tuning")
    from pydantic import ValidationError

    from onnx2snn.cli.output import print_json, progress, results
    from onnx2snn.converter.finetuning import FinetuneSettings
    from onnx2snn.converter.finetuning import finetune as tune
    from onnx2snn.converter.source.read import read_model
    from onnx2snn.runtime.data.dataset import load_data
    from onnx2snn.runtime.data.input_spec import input_specs

    try:
        settings = FinetuneSettings(
            activation=activation.value,
            levels=levels,
            epochs=epochs,
            batch=batch,
            learning_rate=learning_rate,
            slope=slope,
            seed=seed,
            device=device.value,
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        raise typer.BadParameter(
            wrong["msg"], param_hint=f"--{wrong['loc'][0]}".replace("_", "-")
        ) from error
    checkpoint = output.with_name(output.name + ".checkpoint")
    with progress(f"finetune {model.name}") as move:
        samples = load_data(data, input_specs(read_model(model).model.graph), images=images)
        tuned, report = tune(
            model,
            dict(samples.arrays),
            samples.labels,
            settings=settings,
            checkpoint=checkpoint,
            resume=resume,
            progress=move,
        )
    _write(output, tuned.SerializeToString())
    checkpoint.unlink(missing_ok=True)
    if as_json:
        print_json(report)
    else:
        _print_report(results(as_json), report, output)


def _write(path: Path, content: bytes) -> None:
    """Write the file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)


def _print_report(console: Console, report: FinetuneReport, output: Path) -> None:
    from onnx2snn.cli.output import cell, facts, table
    from onnx2snn.runtime.reports.numerals import count, figure, percent

    settings = report.settings
    steps = "" if settings.activation == "threshold-relu" else f", L = {settings.levels}"
    labels = "and labels" if report.labels else "no labels"
    pairs = [
        ("activation", f"{settings.activation}{steps}, in {len(report.thresholds)} places"),
        ("left as they are", ", ".join(report.left) or "none"),
        ("samples", f"{count(report.samples)} trained on, {count(report.held_out)} held out"),
        ("learns from", f"the original, {labels}"),
    ]
    if report.accuracy_before is not None:
        pairs.append(("accuracy before", f"{percent(report.accuracy_before)} (held out)"))
    console.print(facts(pairs))
    console.print()
    rows = [
        (
            f"{epoch.number}{' (kept)' if epoch.number == report.best else ''}",
            figure(epoch.loss, 3),
            figure(epoch.held_out_loss, 3),
            percent(epoch.agreement),
            percent(epoch.accuracy),
        )
        for epoch in report.epochs
    ]
    heads = ("epoch", "loss", "held-out loss", "agreement", "accuracy")
    console.print(table(heads, rows, numeric=4))
    console.print()
    console.print(cell(f"wrote {output}", "bold"), soft_wrap=True)

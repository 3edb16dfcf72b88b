"""``onnx2snn convert``: trained networks in, spiking networks out; one model or thousands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from onnx2snn.cli.options import (
    DATA_HELP,
    AsJson,
    Layout,
    Mean,
    Report,
    Scale,
    Size,
    Std,
    Timesteps,
    image_options,
    loss_bound,
)

if TYPE_CHECKING:
    from onnx2snn.cli.conversion_job import ConversionOptions, Outcome
    from onnx2snn.cli.targets import Target

_MANY = "Many models"

Models = Annotated[
    list[str], typer.Argument(metavar="MODEL|DIR|GLOB", help="ONNX files, folders or patterns.")
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|DIR",
        help="Where to write; MODEL.snn.onnx beside each model if not given.",
    ),
]
Calibration = Annotated[
    Path | None, typer.Option("--calibration", metavar="DATA", help=DATA_HELP + ".")
]
PresetName = Annotated[
    str, typer.Option("--preset", metavar="P", help="A line of 'onnx2snn presets'.")
]
Stimulus = Annotated[
    str | None,
    typer.Option("--stimulus", metavar="S", help="Timesteps the input is shown; 'all': S = T."),
]
InputCoding = Annotated[
    str | None,
    typer.Option(
        "--input-coding", metavar="C", help="bit-planes, direct, poisson or latency; else P's."
    ),
]
ReadOut = Annotated[
    str | None,
    typer.Option("--read-out", metavar="R", help="current, spike-count or lif-stdp; else P's."),
]
MaxLoss = Annotated[
    str | None,
    typer.Option(
        "--max-loss",
        metavar="LOSS",
        help="Find the smallest T within this loss on the calibration data: 0.5% or 0.005.",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse models with operators that would not spike.")
]
Knobs = Annotated[
    list[str] | None,
    typer.Option(
        "--knob",
        metavar="NAME=VALUE",
        help="Replace a knob of the preset ('onnx2snn presets P' shows them); may be repeated.",
    ),
]
LayerErrors = Annotated[
    bool,
    typer.Option("--layer-errors", help="Measure the conversion error of every layer."),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        metavar="N",
        min=0,
        rich_help_panel=_MANY,
        help="Worker processes; 0: one per two cores.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel=_MANY,
        help="Skip outputs made from the same model with the same options.",
    ),
]


def convert(
    models: Models,
    output: Output = None,
    calibration: Calibration = None,
    preset: PresetName = "graded",
    timesteps: Timesteps = None,
    stimulus: Stimulus = None,
    input_coding: InputCoding = None,
    read_out: ReadOut = None,
    max_loss: MaxLoss = None,
    strict: Strict = False,
    knob: Knobs = None,
    layer_errors: LayerErrors = False,
    report: Report = None,
    as_json: AsJson = False,
    jobs: Jobs = 0,
    resume: Resume = False,
    size: Size = None,
    mean: Mean = "0",
    std: Std = "1",
    layout: Layout = None,
    scale: Scale = "1/255",
) -> None:
    """Convert trained ONNX models into spiking networks, saved as ONNX.

    Exit code: 0 all converted, 1 some of many failed, 2 bad usage or bad input.
    """
    from onnx2snn.cli.conversion_job import ConversionOptions
    from onnx2snn.cli.targets import find_targets

    options = ConversionOptions(
        calibration=calibration,
        images=image_options(size, mean, std, layout, scale),
        preset=preset,
        timesteps=timesteps,
        stimulus=_stimulus(stimulus),
        input_coding=input_coding,
        read_out=read_out,
        max_loss=loss_bound(max_loss),
        strict=strict,
        given=tuple(_knob(text) for text in knob or ()),
        layer_errors=layer_errors,
        resume=resume,
    )
    options.knobs()
    if options.max_loss is not None and calibration is None:
        raise typer.BadParameter("the search needs --calibration", param_hint="--max-loss")
    if calibration is not None and not calibration.exists():
        raise typer.BadParameter(f"there is no '{calibration}'", param_hint="--calibration")
    targets, is_batch = find_targets(models, output)
    if is_batch:
        _convert_many(targets, options, jobs or (os.cpu_count() or 2) // 2 or 1, report, as_json)
    else:
        _convert_one(targets[0], options, report, as_json)


def _knob(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"'{text}' is not NAME=VALUE", param_hint="--knob")
    return name.replace("-", "_"), None if value.lower() == "none" else value


def _stimulus(text: str | None) -> int | Literal["all"] | None:
    if text is None or text == "all":
        return text if text is None else "all"
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(
            f"'{text}' is neither a number from 1 on nor 'all'", param_hint="--stimulus"
        )
    return int(text)


def _convert_one(
    target: Target, options: ConversionOptions, report: Path | None, as_json: bool
) -> None:
    from onnx2snn.cli.conversion_job import run_conversion
    from onnx2snn.cli.output import print_json, progress, results
    from onnx2snn.cli.summary import print_conversion

    with progress(target.model.name) as move:
        outcome = run_conversion(target, options, move)
    if report is not None:
        from onnx2snn.ir.model import SpikingModel
        from onnx2snn.runtime.reports.report import write_report

        write_report(report, model=SpikingModel.load(target.output), conversion=outcome.report)
    if as_json:
        print_json(outcome)
    else:
        print_conversion(results(as_json), outcome)


def _convert_many(
    targets: Sequence[Target],
    options: ConversionOptions,
    jobs: int,
    report: Path | None,
    as_json: bool,
) -> None:
    from onnx2snn.cli.batch import run_batch
    from onnx2snn.cli.batch_report import batch_record, write_batch_report
    from onnx2snn.cli.failure import SOME_FAILED
    from onnx2snn.cli.output import print_json, progress, results
    from onnx2snn.cli.summary import counts_in_words, print_batch

    ended: list[Outcome] = []
    with progress(f"{len(targets)} models") as move:

        def show(_: int, outcome: Outcome) -> None:
            ended.append(outcome)
            move(counts_in_words(ended), len(ended) / len(targets))

        outcomes = run_batch(targets, options, jobs, show)
    if report is not None:
        write_batch_report(report, outcomes)
    if as_json:
        print_json(batch_record(outcomes))
    else:
        print_batch(results(as_json), outcomes)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(SOME_FAILED)

"""``onnx2snn evaluate``: a spiking network against its ANN, honestly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnx2snn.cli.early_exit import Calibration, Every, ExitOptions, MaxLoss, Rule, Threshold
from onnx2snn.cli.options import (
    AsJson,
    Backend,
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
    Weights,
    WeightsChoice,
    backend_name,
    image_options,
    timestep_list,
)

if TYPE_CHECKING:
    from rich.console import Console

    from onnx2snn.runtime.evaluation.results import Evaluation


CurvePoints = Annotated[
    str | None,
    typer.Option(
        "--timesteps",
        metavar="1,2,4,8",
        help="Points of the curve; powers of two up to the network's T if not given.",
    ),
]


def evaluate(
    snn: SpikingFile,
    ann: Annotated[Path, typer.Option("--ann", metavar="MODEL", help="The ANN it was made from.")],
    data: Data,
    timesteps: CurvePoints = None,
    early_exit: Rule = None,
    calibration: Calibration = None,
    max_loss: MaxLoss = "0.5%",
    exit_threshold: Threshold = None,
    exit_every: Every = 1,
    backend: Backend = "auto",
    weights: Weights = WeightsChoice.FLOAT32,
    memory: Memory = "2GiB",
    threads: Threads = 0,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="Dask scheduler whose workers share the samples, e.g. tcp://10.0.0.1:8786.",
        ),
    ] = None,
    report: Report = None,
    as_json: AsJson = False,
    size: Size = None,
    mean: Mean = "0",
    std: Std = "1",
    layout: Layout = None,
    scale: Scale = "1/255",
) -> None:
    """Measure a spiking network: accuracy and agreement against T, events, estimated energy."""
    from onnx2snn.cli.output import print_json, progress, results
    from onnx2snn.cli.samples import read_samples
    from onnx2snn.converter.source.read import read_model
    from onnx2snn.ir.model import SpikingModel
    from onnx2snn.ir.stored_weights import WeightFile

    backend = backend_name(backend, weights)
    images = image_options(size, mean, std, layout, scale)
    asked = None if timesteps is None else timestep_list(timesteps)
    leaving = ExitOptions(early_exit, calibration, max_loss, exit_threshold, exit_every)
    model = SpikingModel.load(snn)
    stored = WeightFile()  # gone when this function is left
    source = read_model(ann, weights=stored)
    with progress(f"evaluate {snn.name}") as move:
        samples = read_samples(data, model, images, move)
        points = asked or powers_of_two(model.manifest.timesteps)
        evaluation = _measure(cluster)(
            model,
            source.model,
            samples.arrays,
            samples.labels,
            timesteps=points,
            early_exit=leaving.find(model, images, points[-1], backend, memory, threads, move),
            backend=backend,
            memory=memory,
            threads=threads,
            progress=lambda done, total: move("samples", done / total),
        )
    if source.sha256 != model.manifest.source.sha256:
        _warn_of_other_ann(ann)
    if report is not None:
        from onnx2snn.runtime.reports.report import write_report

        write_report(report, model=model, evaluation=evaluation)
    if as_json:
        print_json(evaluation)
    else:
        print_evaluation(results(as_json), evaluation)


def _measure(cluster: str | None) -> Callable[..., Evaluation]:
    if cluster is None:
        from onnx2snn.runtime.evaluation.evaluate import evaluate as measure

        return measure
    from onnx2snn.runtime.evaluation.cluster import evaluate_on_cluster

    return partial(evaluate_on_cluster, cluster)


def powers_of_two(most: int) -> tuple[int, ...]:
    """Return 1, 2, 4, ... and ``most`` itself."""
    return (*(2**power for power in range(most.bit_length()) if 2**power < most), most)


def _warn_of_other_ann(ann: Path) -> None:
    from onnx2snn.cli.output import notes, tell

    told = f"warning: {ann} is not the file that the spiking network was made from"
    tell(notes(), told, "yellow")


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Write the numbers of an evaluation for people."""
    from onnx2snn.cli.output import facts, table
    from onnx2snn.runtime.reports.numerals import amount, count, figure, joules, percent

    last = evaluation.curve[-1]
    micro = evaluation.timesteps * evaluation.digits
    graded = f", k = {evaluation.digits} ({micro} micro-steps)"
    silent = evaluation.silent_at
    pairs = [
        ("model", f"{evaluation.model}, preset {evaluation.preset}"),
        ("samples", count(evaluation.samples)),
        ("timesteps", f"T = {evaluation.timesteps}, S = {evaluation.stimulus_steps}"),
        ("alphabet", evaluation.alphabet + (graded if evaluation.alphabet == "graded" else "")),
        ("backend", f"{evaluation.backend}, {evaluation.weights} weights"),
        ("input coding", evaluation.input_coding),
        ("read-out", evaluation.read_out),
        ("calibration", evaluation.calibration),
        ("analog operators", ", ".join(evaluation.analog_ops) or "none"),
        ("silent", "not by the last timestep" if silent is None else f"from t = {silent}"),
        ("events", f"{amount(last.events_per_sample)} per sample, "
                   f"{figure(last.events_per_neuron, 3)} per neuron"),
    ]  # fmt: skip
    for profile in evaluation.energy:
        told = f"SNN {joules(profile.snn)}, ANN {joules(profile.ann)}, ratio {profile.ratio:.3g}"
        pairs.append((f"estimated energy, {profile.name}", f"{told} per sample"))
    console.print(facts(pairs))
    console.print()
    rows: list[tuple[object, ...]] = [
        (
            f"T = {point.timesteps}",
            percent(point.accuracy),
            percent(point.agreement),
            figure(point.relative_error, 3),
            figure(point.events_per_neuron, 3),
            amount(point.synaptic_operations),
        )
        for point in evaluation.curve
    ]
    early = evaluation.early_exit
    if early is not None:
        told = f"early exit, mean T = {figure(early.mean_timesteps, 3)}"
        each = early.events_per_sample / max(1, evaluation.neurons)
        rows.append(
            (told, percent(early.accuracy), percent(early.agreement), "", figure(each, 3), "")
        )
    ann, ptq = evaluation.ann, evaluation.ptq
    error = figure(ptq.relative_error, 3)
    rows.append(("PTQ", percent(ptq.accuracy), percent(ptq.agreement), error, "", ""))
    macs = f"{amount(ann.macs_per_sample)} MACs"
    rows.append(("ANN", percent(ann.accuracy), "", "", "", macs))
    heads = ("", "accuracy", "agreement", "rel. error", "events/neuron", "SOPs/sample")
    console.print(table(heads, rows, numeric=5))

"""Task: measure a spiking network against its ANN and write the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onnx2snn.converter.report import ConversionReport
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.stored_weights import WeightFile
from onnx2snn.runtime.data.array_files import read_npz
from onnx2snn.runtime.evaluation.evaluate import account_of, curve_points, evaluate
from onnx2snn.runtime.evaluation.measure import Measured, join
from onnx2snn.runtime.evaluation.measured_arrays import from_arrays
from onnx2snn.runtime.reports.report import write_report
from onnx2snn.runtime.runs.chunks import check_samples
from onnx2snn.server.sandbox import Progress
from onnx2snn.server.tasks.early_exit import early_exit_of
from onnx2snn.server.tasks.inputs import MAX_DATA_BYTES, data_for, limited


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Evaluate; writes ``out/report.html`` and ``out/report.json``.

    Args:
        arguments: ``model``, ``snn``, ``data`` and ``conversion`` (file names in ``in/``; the
            last may be empty), ``samples``, ``timesteps``, ``backend``, ``memory``; ``early_exit``
            and ``calibration`` as in ``early_exit_of``; ``parts``: how many files ``part-N.npz``
            hold what has been measured elsewhere, 0 to measure here.
        folder: of the task.
        progress: told what is going on.

    Returns:
        The evaluation.
    """
    inputs, out = folder / "in", folder / "out"
    model = SpikingModel.load(inputs / arguments["snn"])
    arrays, labels = limited(
        data_for(inputs / arguments["model"], inputs / arguments["data"]), arguments["samples"]
    )
    weights = WeightFile()  # gone when this function is left
    ann = read_model(inputs / arguments["model"], weights=weights).model
    points = curve_points(arguments["timesteps"] or model.manifest.timesteps)
    if arguments["parts"]:
        measured = join([_part(inputs, number) for number in range(arguments["parts"])])
        evaluation = account_of(
            model, ann, check_samples(model, arrays), measured, points, arguments["backend"]
        )
    else:
        evaluation = evaluate(
            model,
            ann,
            arrays,
            labels,
            timesteps=points,
            early_exit=early_exit_of(arguments, inputs, model, points[-1], progress),
            backend=arguments["backend"],
            memory=arguments["memory"],
            progress=lambda done, total: progress("evaluate", done / total),
        )
    write_report(
        out / "report.html",
        model=model,
        evaluation=evaluation,
        conversion=_conversion(inputs, arguments["conversion"]),
    )
    value: dict[str, Any] = json.loads(evaluation.model_dump_json())
    return value


def _part(inputs: Path, number: int) -> Measured:
    return from_arrays(read_npz(inputs / f"part-{number}.npz", lambda names: names, MAX_DATA_BYTES))


def _conversion(inputs: Path, name: str) -> ConversionReport | None:
    if not name:
        return None
    return ConversionReport.model_validate_json((inputs / name).read_bytes())

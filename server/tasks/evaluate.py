"""Task: measure a spiking network against its ANN and write the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onnx2snn.converter.report import ConversionReport
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.evaluate import evaluate
from onnx2snn.runtime.report import write_report
from onnx2snn.server.sandbox import Progress
from onnx2snn.server.tasks.inputs import data_for, limited


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Evaluate; writes ``out/report.html`` and ``out/report.json``.

    Args:
        arguments: ``model``, ``snn``, ``data`` and ``conversion`` (file names in ``in/``; the
            last may be empty), ``samples``, ``timesteps``, ``memory``.
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
    evaluation = evaluate(
        model,
        read_model(inputs / arguments["model"]).model,
        arrays,
        labels,
        timesteps=arguments["timesteps"] or model.manifest.timesteps,
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


def _conversion(inputs: Path, name: str) -> ConversionReport | None:
    if not name:
        return None
    return ConversionReport.model_validate_json((inputs / name).read_bytes())

"""Task: where to cut a data set so that its parts can be measured apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.evaluation.cluster import parts
from onnx2snn.runtime.evaluation.evaluate import curve_points
from onnx2snn.runtime.evaluation.measure import chunk_samples
from onnx2snn.runtime.runs.spiking_run import RunOptions
from onnx2snn.server.sandbox import Progress
from onnx2snn.server.tasks.inputs import data_for, limited


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Plan.

    Args:
        arguments: as of ``evaluate``; ``wanted`` parts.
        folder: of the task.
        progress: told what is going on.

    Returns:
        ``parts``, first and last sample of each, and the ``points`` of the curve.
    """
    progress("plan", 0.0)
    inputs = folder / "in"
    model = SpikingModel.load(inputs / arguments["snn"])
    arrays, _ = limited(
        data_for(inputs / arguments["model"], inputs / arguments["data"]), arguments["samples"]
    )
    points = curve_points(arguments["timesteps"] or model.manifest.timesteps)
    options = RunOptions(arguments["backend"], arguments["memory"], recording="counts")
    chunk = chunk_samples(model, arrays, points, options)
    total = len(next(iter(arrays.values())))
    places = parts(total, chunk, arguments["wanted"])
    return {"parts": [[place.start, place.stop] for place in places], "points": list(points)}

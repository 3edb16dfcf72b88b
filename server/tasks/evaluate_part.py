"""Task: measure one part of a data set; what comes out are counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.stored_weights import WeightFile
from onnx2snn.runtime.data.array_files import write_npz
from onnx2snn.runtime.evaluation.measure import measure
from onnx2snn.runtime.evaluation.measured_arrays import to_arrays
from onnx2snn.runtime.runs.chunks import check_samples
from onnx2snn.runtime.runs.spiking_run import RunOptions
from onnx2snn.server.sandbox import Progress
from onnx2snn.server.tasks.inputs import data_for


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Measure; writes ``out/part.npz``.

    Args:
        arguments: as of ``evaluate``; ``part`` (first and last sample), ``points``.
        folder: of the task.
        progress: told what is going on.

    Returns:
        Nothing of note.
    """
    inputs = folder / "in"
    start, stop = arguments["part"]
    model = SpikingModel.load(inputs / arguments["snn"])
    weights = WeightFile()  # gone when this function is left
    data = data_for(inputs / arguments["model"], inputs / arguments["data"])
    measured = measure(
        model,
        read_model(inputs / arguments["model"], weights=weights).model,
        check_samples(model, {name: values[start:stop] for name, values in data.arrays.items()}),
        None if data.labels is None else data.labels[start:stop],
        arguments["points"],
        RunOptions(arguments["backend"], arguments["memory"], recording="counts"),
        lambda done, total: progress("evaluate", done / total),
        correlate=start == 0,
    )
    write_npz(folder / "out" / "part.npz", to_arrays(measured))
    return {}

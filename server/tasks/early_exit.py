"""Early exit as a job asks for it: a threshold that is known, or one to be tuned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.data.dataset import load_data
from onnx2snn.runtime.data.input_spec import input_specs
from onnx2snn.runtime.runs.early_exit import EarlyExit
from onnx2snn.runtime.runs.tune_early_exit import tune_early_exit
from onnx2snn.server.sandbox import Progress
from onnx2snn.server.tasks.inputs import MAX_DATA_BYTES


def early_exit_of(
    arguments: dict[str, Any],
    inputs: Path,
    model: SpikingModel,
    timesteps: int,
    progress: Progress,
) -> EarlyExit | None:
    """Return the rule; None if none is wanted.

    Args:
        arguments: of the task: ``early_exit`` (rule, threshold, every, max_loss) or None,
            ``calibration`` (file name in ``in/``, may be empty), ``backend``, ``memory``.
        inputs: folder of the task's files.
        model: the spiking network.
        timesteps: T of the full run.
        progress: told what is going on.

    Raises:
        SimulationError: no threshold keeps the bound.
        DataError: the calibration samples do not fit.
    """
    asked = arguments["early_exit"]
    if asked is None:
        return None
    if asked["threshold"] is not None:
        return EarlyExit(asked["rule"], asked["threshold"], asked["every"])
    specs = input_specs(model.light.graph, model.inputs)
    data = load_data(inputs / arguments["calibration"], specs, max_bytes=MAX_DATA_BYTES)
    return tune_early_exit(
        model,
        data.arrays,
        rule=asked["rule"],
        max_loss=asked["max_loss"],
        every=asked["every"],
        timesteps=timesteps,
        backend=arguments["backend"],
        memory=arguments["memory"],
        progress=lambda done, total: progress("tune early exit", done / total),
    )

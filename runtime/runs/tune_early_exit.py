"""Tuning the threshold of early exit on calibration data."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.backends.choice import AUTO
from onnx2snn.runtime.runs.chunks import Samples, check_samples
from onnx2snn.runtime.runs.early_exit import EarlyExit, answers_of, confidence, lowest_threshold
from onnx2snn.runtime.runs.spiking_run import Progress, RunOptions, run_chunks


def tune_early_exit(
    model: SpikingModel,
    calibration: Samples,
    *,
    rule: str = "margin",
    max_loss: float = 0.005,
    every: int = 1,
    timesteps: int | None = None,
    backend: str = AUTO,
    memory: str | int = "2GiB",
    threads: int = 0,
    progress: Progress | None = None,
) -> EarlyExit:
    """Return a rule of early exit whose answers rarely differ from those of the full run.

    Agreement with the ANN (and accuracy) cannot lose more than the share of changed answers.

    Args:
        model: the spiking model.
        calibration: samples of the kind the network will see, by input name; not the test data.
        rule: ``margin`` or ``entropy``.
        max_loss: bound on the expected share of changed answers.
        every: timesteps from one look at the outputs to the next.
        timesteps: T of the full run; the model's default if not given.
        backend: name of the backend; ``auto`` picks one (``backends/choice.py``).
        memory: budget for one call.
        threads: 0 lets the backend decide.
        progress: called with the samples done and their number.

    Raises:
        SimulationError: the network does not classify, or the samples are too few for the bound.
        DataError: the samples do not fit the model.
    """
    untuned = EarlyExit(rule, 0.0, every)
    samples = check_samples(model, calibration)
    T = model.manifest.timesteps if timesteps is None else timesteps
    looks = [*range(every, T, every), T]
    if len(looks) < 2:
        raise SimulationError(
            f"with one look every {every} timesteps nothing can leave a run of {T}",
            remedy="look more often, or run more timesteps",
        )
    if not 0 < max_loss < 1:
        raise SimulationError(
            f"a loss of at most {max_loss} is no share", remedy="write, e.g., 0.005"
        )
    confidences, answers = [], []
    options = RunOptions(backend, memory, threads)
    for place, _, trace in run_chunks(model, samples, T, looks, options, progress):
        real = place.stop - place.start
        confidences.append([confidence(rule, trace.outputs[t])[:real] for t in looks])
        answers.append([answers_of(trace.outputs[t])[:real] for t in looks])
    joined = np.concatenate(confidences, axis=1)
    threshold = lowest_threshold(joined, np.concatenate(answers, axis=1), max_loss)
    return EarlyExit(rule, threshold, untuned.every, joined.shape[1], max_loss)

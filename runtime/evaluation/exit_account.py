"""The account of a run with early exit: what it saves, and what it changes."""

from __future__ import annotations

import time

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.derive.record import sources
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.evaluation.results import EarlyExitRow
from onnx2snn.runtime.outcomes.scores import Score, compare
from onnx2snn.runtime.runs.ann_run import AnnRun
from onnx2snn.runtime.runs.spiking_run import Progress, RunOptions, run_chunks


def early_exit_row(
    model: SpikingModel,
    ann: onnx.ModelProto,
    samples: Tensors,
    labels: NDArray[np.generic] | None,
    timesteps: int,
    options: RunOptions,
    progress: Progress | None = None,
) -> EarlyExitRow:
    """Run samples with early exit and compare the outputs they leave with to the ANN's.

    Args:
        model: the spiking network.
        ann: the network it was made from.
        samples: checked samples by input name, [N, *F].
        labels: class numbers [N], if known.
        timesteps: T of a sample that never leaves early.
        options: how to run, with ``early_exit`` and events recorded.
        progress: called with the samples done and their number.
    """
    rule = options.early_exit
    if rule is None:
        raise SimulationError("there is no rule of early exit", remedy="hand one in")
    spiking = [source.stream for source in sources(model) if source.spiking]
    plain = AnnRun(ann, threads=options.threads)
    exits = np.zeros(timesteps, dtype=np.int64)
    score: Score | None = None
    events, seconds = 0.0, 0.0
    start = time.perf_counter()
    for place, feeds, trace in run_chunks(
        model, samples, timesteps, (timesteps,), options, progress
    ):
        seconds += time.perf_counter() - start
        expected = plain.run(feeds, model.outputs)
        known = None if labels is None else labels[place]
        seen = compare(trace.outputs[timesteps], expected, known)
        score = seen if score is None else score + seen
        if trace.exits is not None:
            exits += np.bincount(trace.exits - 1, minlength=timesteps)
        events += sum(float(trace.layers[name].events.sum(dtype=float)) for name in spiking)
        start = time.perf_counter()
    if score is None:
        raise SimulationError("there are no samples", remedy="hand in at least one sample")
    return EarlyExitRow(
        rule=rule.rule,
        threshold=rule.threshold,
        every=rule.every,
        calibration_samples=rule.calibration,
        max_loss=rule.max_loss,
        mean_timesteps=float(exits @ np.arange(1, timesteps + 1)) / score.samples,
        accuracy=score.accuracy,
        agreement=score.agreement,
        events_per_sample=events / score.samples,
        exits=tuple(int(number) for number in exits),
        seconds=seconds,
    )

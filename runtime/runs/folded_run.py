"""Running with time folded into the batch: all T timesteps in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.derive.record import SEGMENTS, record, segments, sources
from onnx2snn.ir.derive.running import to_running
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.backends import Backend
from onnx2snn.runtime.outcomes.trace import LayerTrace, Recording, Trace
from onnx2snn.runtime.runs.head import Head


class FoldedRun:
    """One call for all timesteps, then one call of the head per timestep asked for.

    Args:
        model: a model whose batch axis is free.
        backend: what runs it.
        recording: what to record.
        sum_batch: whether events are summed over the samples.
        threads: 0 lets the backend decide.
    """

    def __init__(
        self,
        model: SpikingModel,
        backend: Backend,
        recording: Recording,
        *,
        sum_batch: bool = True,
        threads: int = 0,
    ) -> None:
        running = to_running(model)
        self._timesteps_input = model.timesteps_input
        self._recorded = () if recording == "none" else sources(model)
        body = record(
            running.body,
            self._recorded,
            timesteps=model.timesteps_input,
            sum_batch=sum_batch,
            streams=recording == "spikes",
        )
        self._body = backend.load(body, threads=threads)
        self._head = Head(running.head, model.outputs, backend, threads)
        self._values = running.values

    def run(
        self, feeds: Mapping[str, NDArray[np.generic]], timesteps: int, at: Sequence[int]
    ) -> Trace:
        """Run T timesteps and return the outputs after each timestep of ``at``."""
        clock = np.asarray(timesteps, dtype=np.int64)
        inputs = {**feeds, self._timesteps_input: clock}
        if self._recorded:
            inputs[SEGMENTS] = segments(timesteps, at)
        results = self._body.run(inputs)
        steps = {
            name: np.split(results[name], timesteps) for name in self._values
        }  # each T arrays [N, *F]
        outputs = {
            t: self._head.outputs({name: values[t - 1] for name, values in steps.items()}, feeds)
            for t in at
        }
        layers = {
            source.stream: LayerTrace(
                maps=np.asarray(results[source.maps], dtype=np.float32),
                events=np.asarray(results[source.events], dtype=np.float32),
                negative=np.asarray(results[source.negative], dtype=np.float32),
                count=np.asarray(results[source.count], dtype=np.float32),
                spikes=_unfold(results.get(source.stream), timesteps),
            )
            for source in self._recorded
        }
        return Trace(outputs, layers)


def _unfold(stream: NDArray[np.generic] | None, timesteps: int) -> NDArray[np.float32] | None:
    if stream is None:
        return None
    shape = (timesteps, len(stream) // timesteps, *stream.shape[1:])
    return np.asarray(stream, dtype=np.float32).reshape(shape)

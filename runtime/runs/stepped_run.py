"""Running timestep by timestep with carried state: memory does not grow with T."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.derive.record import Source, record, sources
from onnx2snn.ir.derive.step import initial_states, to_step
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.ir.types import Array
from onnx2snn.runtime.backends import Backend
from onnx2snn.runtime.outcomes.trace import LayerTrace, Recording, Trace


class SteppedRun:
    """One call per timestep.

    Args:
        model: any spiking model, in either layout.
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
        self._model = model
        self._step = to_step(model)
        self._recorded = () if recording == "none" else sources(model)
        proto = record(
            self._step.proto,
            self._recorded,
            timesteps=None,
            sum_batch=sum_batch,
            streams=recording == "spikes",
        )
        self._loaded = backend.load(proto, threads=threads)

    def run(
        self, feeds: Mapping[str, NDArray[np.generic]], timesteps: int, at: Sequence[int]
    ) -> Trace:
        """Run T timesteps and return the outputs after each timestep of ``at``."""
        states: Tensors = dict(initial_states(self._model, self._step, feeds))
        outputs = {}
        kept = {source.stream: _Record() for source in self._recorded}
        for t in range(1, timesteps + 1):
            clock = np.asarray(t, dtype=np.int64)
            results = self._loaded.run({**feeds, self._step.clock: clock, **states})
            states = {state.input: results[state.output] for state in self._step.states}
            if t in at:
                outputs[t] = {name: np.asarray(results[name]) for name in self._model.outputs}
            for source in self._recorded:
                kept[source.stream].add(source, results, bisect_left(at, t))
        return Trace(outputs, {stream: record.trace() for stream, record in kept.items()})


class _Record:
    """The records of one layer, growing by one timestep at a time."""

    def __init__(self) -> None:
        self._maps: list[Array] = []
        self._events: list[Array] = []
        self._negative: list[Array] = []
        self._count: Array = np.zeros((), dtype=np.float32)
        self._spikes: list[Array] = []

    def add(self, source: Source, results: Tensors, segment: int) -> None:
        """Add the outputs of a timestep that lies in the given segment."""
        step = {name: np.asarray(results[name], dtype=np.float32) for name in source.outputs}
        while len(self._maps) <= segment:
            self._maps.append(np.zeros_like(step[source.maps]))
        self._maps[segment] += step[source.maps]
        self._events.append(step[source.events])
        self._negative.append(step[source.negative])
        self._count = self._count + step[source.count]
        if source.stream in results:
            self._spikes.append(np.asarray(results[source.stream], dtype=np.float32))

    def trace(self) -> LayerTrace:
        """Return everything added so far."""
        return LayerTrace(
            maps=np.concatenate(self._maps),
            events=np.concatenate(self._events),
            negative=np.concatenate(self._negative),
            count=self._count,
            spikes=np.stack(self._spikes) if self._spikes else None,
        )

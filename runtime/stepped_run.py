"""Running timestep by timestep with carried state: memory does not grow with T."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.derive.record import Source, record, sources
from onnx2snn.ir.derive.step import initial_states, to_step
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.backends import Backend
from onnx2snn.runtime.trace import LayerTrace, Recording, Trace


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
        recorded: list[Tensors] = []
        for t in range(1, timesteps + 1):
            clock = np.asarray(t, dtype=np.int64)
            results = self._loaded.run({**feeds, self._step.clock: clock, **states})
            states = {state.input: results[state.output] for state in self._step.states}
            if t in at:
                outputs[t] = {name: results[name] for name in self._model.outputs}
            kept = (name for s in self._recorded for name in (*s.outputs, s.stream))
            recorded.append({name: results[name] for name in kept if name in results})
        layers = {source.stream: _join(source, recorded) for source in self._recorded}
        return Trace(outputs, layers)


def _join(source: Source, steps: Sequence[Tensors]) -> LayerTrace:
    """Return the trace of one layer from its records of single timesteps."""

    def joined(name: str) -> NDArray[np.float32]:
        return np.concatenate([np.asarray(step[name], dtype=np.float32) for step in steps])

    count = np.zeros_like(steps[0][source.count], dtype=np.float32)
    for step in steps:
        count = count + np.asarray(step[source.count], dtype=np.float32)
    spikes = None
    if source.stream in steps[0]:
        spikes = np.stack([np.asarray(step[source.stream], dtype=np.float32) for step in steps])
    return LayerTrace(joined(source.events), joined(source.negative), count, spikes)

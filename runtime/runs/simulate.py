"""Simulate: a spiking model and samples in, outputs and spikes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.derive.record import Source, sources
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.ir.types import Array
from onnx2snn.runtime.backends.choice import AUTO, chosen
from onnx2snn.runtime.outcomes.trace import LayerTrace, Recording
from onnx2snn.runtime.runs.chunks import Samples, check_samples
from onnx2snn.runtime.runs.early_exit import EarlyExit
from onnx2snn.runtime.runs.spiking_run import Progress, RunOptions, run_chunks


@dataclass(frozen=True)
class LayerRecord:
    """What one layer emitted.

    Attributes:
        events: events per timestep, summed over samples and units, [T].
        negative: those of them that are negative, [T].
        counts: signed spike count after T timesteps, in quanta, int32 [N, *F].
        spikes: spike train, in quanta, int32 [T, N, *F]; None unless recorded. The emissions of
            a max-pool without a quantum are in activation units, float32.
    """

    events: NDArray[np.float64]
    negative: NDArray[np.float64]
    counts: NDArray[np.generic]
    spikes: NDArray[np.generic] | None


@dataclass(frozen=True)
class Simulation:
    """The outcome of a simulation.

    Attributes:
        outputs: the ANN's outputs by name, decoded after T timesteps, [N, ...].
        timesteps: T.
        stimulus_steps: S.
        samples: N.
        layers: records by layer name, in topological order; empty if nothing was recorded.
        backend: name of the backend that ran.
        exits: under early exit, the timestep after which each sample was finished, int64 [N].
    """

    outputs: Tensors
    timesteps: int
    stimulus_steps: int
    samples: int
    layers: Mapping[str, LayerRecord]
    backend: str
    exits: NDArray[np.int64] | None = None

    @property
    def mean_timesteps(self) -> float:
        """Return the mean number of timesteps a sample took."""
        return self.timesteps if self.exits is None else float(self.exits.mean())

    @property
    def events(self) -> float:
        """Return all recorded events: over samples, layers and timesteps."""
        return float(sum(layer.events.sum() for layer in self.layers.values()))


def simulate(
    model: SpikingModel,
    data: Samples,
    *,
    timesteps: int | None = None,
    backend: str = AUTO,
    record: Recording = "none",
    early_exit: EarlyExit | None = None,
    memory: str | int = "2GiB",
    threads: int = 0,
    progress: Progress | None = None,
) -> Simulation:
    """Run a spiking model over samples.

    Args:
        model: the spiking model.
        data: one array [N, *F] per input by name; an array for a lone input.
        timesteps: T; the model's default if not given.
        backend: name of the backend; ``auto`` picks one (``backends/choice.py``).
        record: ``none``, ``counts`` (events and spike counts) or ``spikes`` (trains as well).
        early_exit: when a sample is finished before T (:func:`tune_early_exit` finds a rule); its
            outputs are then those of that timestep, and it emits nothing any more.
        memory: budget for one call, e.g. ``2GiB``; records come on top.
        threads: 0 lets the backend decide.
        progress: called with the samples done and their number.

    Raises:
        SimulationError: the simulation cannot run as asked.
        DataError: the samples do not fit the model.
    """
    samples = check_samples(model, data)
    T = model.manifest.timesteps if timesteps is None else timesteps
    backend = chosen(backend, model, record)
    options = RunOptions(backend, memory, threads, record, early_exit)
    outputs: list[Tensors] = []
    exits: list[NDArray[np.int64]] = []
    total = len(next(iter(samples.values())))
    recorded = () if record == "none" else sources(model)
    layers = {source.name: _Layer(source, model, total) for source in recorded}
    for place, _, trace in run_chunks(model, samples, T, (T,), options, progress):
        outputs.append(trace.outputs[T])
        for source in recorded:
            layers[source.name].add(place, trace.layers[source.stream])
        if trace.exits is not None:
            exits.append(trace.exits)
        del trace  # the next chunk needs the room
    return Simulation(
        outputs={
            name: np.concatenate([output[name] for output in outputs]) for name in model.outputs
        },
        timesteps=T,
        stimulus_steps=model.stimulus_steps(T),
        samples=total,
        layers={name: layer.record() for name, layer in layers.items()},
        backend=backend,
        exits=np.concatenate(exits) if exits else None,
    )


class _Layer:
    """The record of one layer, growing by one chunk of samples at a time."""

    def __init__(self, source: Source, model: SpikingModel, samples: int) -> None:
        self._samples = samples
        self._quantum: Array | None = None
        if source.quantum:
            self._quantum = np.asarray(model.initializers[source.quantum], dtype=np.float32)
        self._events: NDArray[np.float64] = np.zeros(())
        self._negative: NDArray[np.float64] = np.zeros(())
        self._counts: NDArray[np.generic] = np.zeros(0, self._kind)
        self._spikes: NDArray[np.generic] | None = None

    @property
    def _kind(self) -> type[np.generic]:
        return np.float32 if self._quantum is None else np.int32

    def add(self, place: slice, trace: LayerTrace) -> None:
        """Add what the samples at a place emitted."""
        self._events = self._events + trace.events.sum(1, dtype=float)
        self._negative = self._negative + trace.negative.sum(1, dtype=float)
        if place.start == 0:
            self._counts = np.zeros((self._samples, *trace.count.shape[1:]), self._kind)
        self._counts[place] = trace.count if self._quantum is None else np.rint(trace.count)
        if trace.spikes is None:
            return
        if self._spikes is None:
            shape = (len(trace.spikes), self._samples, *trace.spikes.shape[2:])
            self._spikes = np.zeros(shape, self._kind)
        in_quanta = trace.spikes if self._quantum is None else trace.spikes / self._quantum
        self._spikes[:, place] = in_quanta if self._quantum is None else np.rint(in_quanta)

    def record(self) -> LayerRecord:
        """Return everything added so far."""
        return LayerRecord(self._events, self._negative, self._counts, self._spikes)

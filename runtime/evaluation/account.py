"""The account of a run: events, synaptic operations and estimated energy, by layer and timestep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir.derive.record import Source, sources
from onnx2snn.ir.derive.settle import shape_model, shape_name
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN
from onnx2snn.ir.session import Session, Tensors
from onnx2snn.ir.types import Array
from onnx2snn.runtime.evaluation.energy import EnergyTable, Operations, estimate_energy
from onnx2snn.runtime.evaluation.fan_out import FanOut
from onnx2snn.runtime.evaluation.lifts import lift_operations
from onnx2snn.runtime.evaluation.results import EnergyProfile, LayerRow
from onnx2snn.runtime.outcomes.activity import Activity, LayerActivity


@dataclass(frozen=True)
class Account:
    """What a run cost.

    Attributes:
        samples: number of samples.
        neurons: neurons (and spiking max-pooling units) per sample.
        stimulus_steps: S.
        spiking: activity of the spiking layers by stream.
        synaptic_operations: per sample, up to each timestep asked for.
        analog_operations: multiplications by direct current, per sample and stimulus step.
        lift_operations: operations of lifts, per sample and timestep.
        layers: one row per spiking layer.
    """

    samples: int
    neurons: int
    stimulus_steps: int
    spiking: Activity
    synaptic_operations: Mapping[int, float]
    analog_operations: float
    lift_operations: float
    layers: tuple[LayerRow, ...]

    def events_per_sample(self, t: int) -> float:
        """Return the events up to timestep t."""
        events = sum(float(layer.by_timestep[:t].sum()) for layer in self.spiking.values())
        return events / self.samples

    def energy(
        self, t: int, macs: float, tables: tuple[EnergyTable, ...]
    ) -> tuple[EnergyProfile, ...]:
        """Return the estimated energy up to timestep t, per sample."""
        operations = Operations(
            macs=macs,
            synaptic=self.synaptic_operations[t],
            neuron_updates=float(self.neurons * t),
            analog=self.analog_operations * min(t, self.stimulus_steps) + self.lift_operations * t,
        )
        return tuple(estimate_energy(operations, table) for table in tables)


def account_for(
    model: SpikingModel,
    activity: Activity,
    correlations: Mapping[str, float | None],
    points: Sequence[int],
    samples: int,
    first: Tensors,
) -> Account:
    """Return the account of a run.

    Args:
        model: the spiking model.
        activity: what its layers emitted, by stream.
        correlations: of decoded values with the quantised ANN's activations, by stream.
        points: timesteps to account for, ascending; the last is T.
        samples: number of samples.
        first: the smallest batch of samples the model takes.
    """
    recorded = sources(model)
    spiking = {s.stream: activity[s.stream] for s in recorded if s.spiking}
    arrivals, analog = _arrivals(model, activity, points, first)
    received = _received(model, arrivals[points[-1]])
    rows = tuple(
        _layer_row(
            source,
            model,
            activity[source.stream],
            samples,
            received.get(source.stream, 0.0) / samples,
            correlations.get(source.stream),
        )
        for source in recorded
        if source.spiking
    )
    return Account(
        samples=samples,
        neurons=sum(row.neurons for row in rows),
        stimulus_steps=model.stimulus_steps(points[-1]),
        spiking=spiking,
        synaptic_operations={t: sum(arrivals[t].values()) / samples for t in points},
        analog_operations=analog,
        lift_operations=lift_operations(model, first, len(next(iter(first.values())))),
        layers=rows,
    )


def _arrivals(
    model: SpikingModel, activity: Activity, points: Sequence[int], first: Tensors
) -> tuple[dict[int, dict[str, float]], float]:
    """Return the synaptic operations of all samples by timestep and stream, and the analog ones.

    The analog operations are those of one sample and stimulus step.
    """
    fan_out = FanOut(model)
    inputs = _shapes(model, fan_out.currents, first)
    arrivals = {}
    events: dict[str, Array] = {}
    for k, t in enumerate(points, start=1):
        events = {
            stream: np.asarray(layer.maps[:k].sum(axis=0), dtype=np.float32)
            for stream, layer in activity.items()
        }
        arrivals[t] = fan_out.synaptic_operations(events, inputs)
    batch = len(next(iter(first.values())))
    return arrivals, fan_out.analog_operations(events, inputs) / batch


def _received(model: SpikingModel, arrivals: Mapping[str, float]) -> dict[str, float]:
    """Return the arrivals by stream, those at a ``MembraneMaxPool`` with the neurons behind it."""
    pools = {source.stream for source in sources(model) if not source.spiking}
    received = dict(arrivals)
    for node in model.plain.graph.node:
        if node.domain == DOMAIN and node.input[0] in pools:
            received[node.output[0]] += arrivals.get(node.input[0], 0.0)
    return received


def _shapes(
    model: SpikingModel, streams: Sequence[str], first: Tensors
) -> dict[str, tuple[int, ...]]:
    if not streams:
        return {}
    shapes = Session(shape_model(model, streams)).run(first)
    return {name: tuple(shapes[shape_name(name)].tolist()) for name in streams}


def _layer_row(
    source: Source,
    model: SpikingModel,
    layer: LayerActivity,
    samples: int,
    synaptic_operations: float,
    correlated: float | None,
) -> LayerRow:
    neurons = layer.units // samples
    events = layer.by_timestep / (samples * neurons)
    total = float(layer.by_timestep.sum())
    stored = model.initializers[source.quantum] if source.quantum else np.zeros(1)
    quantum = np.asarray(stored, dtype=np.float32)
    return LayerRow(
        name=source.name,
        kind=source.op,
        neurons=neurons,
        events_per_neuron=float(events.sum()),
        negative_share=layer.negative / total if total else 0.0,
        events_by_timestep=tuple(float(value) for value in events),
        synaptic_operations=synaptic_operations,
        threshold_min=float(np.min(quantum)),
        threshold_max=float(np.max(quantum)),
        threshold_mean=float(np.mean(quantum)),
        correlation=correlated,
        at_bound=layer.at_bound / layer.units if layer.units else 0.0,
    )

"""What the layers emitted, summed over chunks of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.derive.record import Source
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import IntegrateFire, Neuron, Scheduled
from onnx2snn.ir.types import Array
from onnx2snn.runtime.outcomes.trace import LayerTrace


@dataclass(frozen=True)
class LayerActivity:
    """Events of one layer, summed over samples.

    Attributes:
        maps: events per segment and unit, float32 [K, B, *F].
        by_timestep: events of every timestep, float64 [T].
        negative: negative events.
        at_bound: neurons whose count ended at its upper bound.
        units: units seen: neurons times samples.
    """

    maps: Array
    by_timestep: NDArray[np.float64]
    negative: float
    at_bound: int
    units: int

    def __add__(self, other: LayerActivity) -> LayerActivity:
        return LayerActivity(
            maps=self.maps + other.maps,
            by_timestep=self.by_timestep + other.by_timestep,
            negative=self.negative + other.negative,
            at_bound=self.at_bound + other.at_bound,
            units=self.units + other.units,
        )


Activity = Mapping[str, LayerActivity]
"""Activity by stream."""


def measure_activity(
    layers: Mapping[str, LayerTrace], bounds: Mapping[str, float], batch: int | None
) -> dict[str, LayerActivity]:
    """Return the activity of one chunk.

    Args:
        layers: traces by stream.
        bounds: upper bound on the count by stream, for neurons.
        batch: the batch size that event maps keep; a shorter last chunk is filled up with zeros.
    """
    measured = {}
    for stream, layer in layers.items():
        maps = layer.maps
        if batch is not None and maps.shape[1] < batch:
            missing = (0, batch - maps.shape[1])
            maps = np.pad(maps, [(0, 0), missing, *[(0, 0)] * (maps.ndim - 2)])
        bound = bounds.get(stream, np.inf)
        measured[stream] = LayerActivity(
            maps=maps,
            by_timestep=layer.events.sum(axis=1, dtype=np.float64),
            negative=float(layer.negative.sum(dtype=np.float64)),
            at_bound=int(np.sum(np.rint(layer.count) >= bound)),
            units=layer.count.size,
        )
    return measured


def add_activity(left: Activity, right: Activity) -> dict[str, LayerActivity]:
    """Return the activity of two chunks together; ``left`` may be empty."""
    return {name: left[name] + right[name] if name in left else right[name] for name in right}


def upper_bounds(model: SpikingModel, timesteps: int) -> dict[str, float]:
    """Return the highest count of each neuron layer by stream: n_max; binary neurons reach T."""
    return {layer.output: _highest(layer.op, layer.n_max, timesteps) for layer in model.neurons}


def _highest(op: Neuron, n_max: float, timesteps: int) -> float:
    if not isinstance(op, IntegrateFire):
        return n_max
    return min(float(timesteps), n_max) if isinstance(op, Scheduled) else float(timesteps)


def silent_at(activity: Activity, timesteps: int) -> int | None:
    """Return the first timestep from which on no event occurs; None if some occur at T."""
    totals = np.sum([layer.by_timestep for layer in activity.values()], axis=0)
    busy = np.flatnonzero(totals > 0)
    last = int(busy[-1]) + 1 if len(busy) else 0
    return last + 1 if last < timesteps else None


def decoded(
    trace: LayerTrace, source: Source, model: SpikingModel, timesteps: int
) -> NDArray[np.float32]:
    """Return the value a layer stands for after T timesteps, [N, *F]."""
    quantum = np.asarray(model.initializers[source.quantum], dtype=np.float32)
    gain = np.float32(min(timesteps, model.stimulus_steps(timesteps)))
    return np.asarray(trace.count * quantum / gain, dtype=np.float32)


def correlation(left: NDArray[np.generic], right: NDArray[np.generic]) -> float | None:
    """Return Pearson's correlation; None if either side is constant."""
    a = left.reshape(-1).astype(np.float64)
    b = right.reshape(-1).astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / scale if scale > 0 else None

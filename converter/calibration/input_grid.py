"""The grid the inputs live on: x = offset + k q, found in calibration data.

8-bit images, however scaled and normalised, lie on a grid of at most 256 points per channel. On
it, bit-plane spikes carry the input without loss. Inputs that lie on no such grid are encoded
with a fine signed quantum; the error of at most q/2 is stated in the report. Inputs that are
spikes already (frames of an event camera: -q, 0, q) stay what they are: silence is zero. An int8
network that rounds its input has a grid of its own (``own_grid``), which comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.types import Array

GRID_POINTS = 256
LOOKED_AT = 64
FINE_LEVELS = 2047
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class InputGrid:
    """How one input is encoded.

    Attributes:
        quantum: q > 0, broadcastable to the input.
        offset: value of silence, broadcastable to the input.
        levels: greatest count that is needed.
        reach: greatest magnitude of x - offset in the data, > 0; broadcastable to the input.
        signed: whether counts may be negative.
        lossless: whether the calibration data lies on the grid exactly, or the network rounds its
            input to it (:mod:`onnx2snn.converter.calibration.own_grid`).
    """

    quantum: Array
    offset: Array
    levels: int
    reach: Array
    signed: bool
    lossless: bool


def find_grid(samples: NDArray[np.float32]) -> InputGrid:
    """Find the grid of samples [N, *F]: one for all values, else one per channel (axis 1 or last).

    The number of samples it looks at is capped: a grid shows after few images. They are taken
    from everywhere, and the least and greatest of all with them: data may be sorted.
    """
    spread = np.unique(np.linspace(0, len(samples) - 1, LOOKED_AT).astype(np.int64))
    few = _with_extremes(samples, spread)
    spikes = _spike_grid(few, samples)
    if spikes is not None:
        return spikes
    axes = [None, *dict.fromkeys(a for a in (1, samples.ndim - 1) if 0 < a < samples.ndim)]
    for axis in axes:
        if axis is None or few.shape[axis] <= 16:
            grid = _grid_along(few, axis)
            if grid is not None:
                return grid
    return fine_grid(samples)


def _with_extremes(samples: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the chosen samples, and the least and the greatest value of every position."""
    return np.concatenate(
        [samples[chosen], samples.min(axis=0, keepdims=True), samples.max(axis=0, keepdims=True)]
    )


def _spike_grid(few: NDArray[np.float32], samples: NDArray[np.float32]) -> InputGrid | None:
    """Return the grid of signed unit spikes if all samples are -q, 0 or q, and both signs occur."""
    points = np.unique(few)
    size = float(points[-1])
    if size <= 0 or points[0] != -size or not np.isin(samples, (-size, 0.0, size)).all():
        return None
    unit = np.asarray(size, np.float32)
    return InputGrid(unit, np.zeros((), np.float32), 1, unit, signed=True, lossless=True)


def fine_grid(samples: NDArray[np.float32]) -> InputGrid:
    """Return a fine signed grid over the range of the samples (twice it, for unseen inputs)."""
    reach = float(np.abs(samples).max(initial=0.0)) or 0.5
    quantum = 2.0 ** np.ceil(np.log2(2 * reach / FINE_LEVELS))
    return InputGrid(
        quantum=np.asarray(quantum, np.float32),
        offset=np.zeros((), np.float32),
        levels=FINE_LEVELS * 2,
        reach=np.asarray(reach, np.float32),
        signed=True,
        lossless=False,
    )


def _grid_along(samples: NDArray[np.float32], axis: int | None) -> InputGrid | None:
    if axis is None:
        grids = [_scalar_grid(samples.reshape(-1))]
        shape: tuple[int, ...] = ()
    else:
        grids = [
            _scalar_grid(np.take(samples, i, axis).reshape(-1)) for i in range(samples.shape[axis])
        ]
        shape = tuple(-1 if i == axis else 1 for i in range(samples.ndim))
    if any(grid is None for grid in grids):
        return None
    steps = np.array([grid for grid in grids if grid is not None], dtype=np.float64)
    return InputGrid(
        quantum=steps[:, 0].astype(np.float32).reshape(shape),
        offset=steps[:, 1].astype(np.float32).reshape(shape),
        levels=int(steps[:, 2].max()),
        reach=(steps[:, 0] * steps[:, 2]).astype(np.float32).reshape(shape),
        signed=False,
        lossless=True,
    )


def _scalar_grid(values: NDArray[np.float32]) -> tuple[float, float, int] | None:
    """Return (quantum, offset, levels) if all values lie on one grid of at most 256 points."""
    points = np.unique(values).astype(np.float64)
    if len(points) < 2 or len(points) > GRID_POINTS * 4:
        return None
    span = points[-1] - points[0]
    gaps = np.diff(points)
    step = float(gaps[gaps > span * 1e-5].min(initial=span))
    count = round(span / step)
    if count >= GRID_POINTS:
        return None
    step = span / count
    off = np.abs((points - points[0]) / step - np.round((points - points[0]) / step))
    if off.max() > _TOLERANCE:
        return None
    finer = 2 ** max(0, int(np.floor(np.log2((GRID_POINTS - 1) / count))))
    quantum = step / finer
    offset = points[0] if abs(points[0] / quantum) > _TOLERANCE else 0.0
    return quantum, offset, count * finer

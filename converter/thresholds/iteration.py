"""Threshold iteration: to the fixed point at which the quantisation error is least.

    k(a) = clip(floor(a L / theta + 1/2), 0, L)          counts under the present threshold
    theta <- L E[a k(a)] / E[k(a)^2]                     the best threshold for these counts

Each half of a step lowers E[(a - theta/L k(a))^2], so the iteration ends; it starts at the maximum.
Source: threshold iteration of DCGS (Li et al., ICML 2025) and H-MT, which take activations for
normally distributed and iterate a closed form; here the expectations are those of the histogram.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.calibration.statistics import BINS, ChannelStatistics
from onnx2snn.ir.errors import InvariantError

MOST_STEPS = 500
TOLERANCE = 1e-6


def iterated_range(statistics: ChannelStatistics, levels: int) -> NDArray[np.float64]:
    """Return the fixed point per channel [C]; zero for silent channels."""
    if statistics.histogram is None:
        raise InvariantError("threshold iteration needs histograms")
    weights = statistics.histogram.astype(np.float64)
    centres = ((np.arange(BINS) + 0.5) / BINS)[None, :]
    theta = np.ones((len(weights), 1))
    for _ in range(MOST_STEPS):
        counts = np.clip(np.floor(centres * levels / theta + 0.5), 0, levels)
        square = (weights * counts**2).sum(axis=1, keepdims=True)
        product = (weights * counts * centres).sum(axis=1, keepdims=True)
        better = np.where(square > 0, levels * product / np.where(square > 0, square, 1), theta)
        settled = np.abs(better - theta).max() <= TOLERANCE
        theta = better
        if settled:
            break
    alive = weights.sum(axis=1) > 0
    return np.where(alive, theta[:, 0] * statistics.reach, 0.0)

"""Local threshold balancing: every threshold climbs by what is clipped above it.

    theta <- theta + 2 eta E[(a - theta) [a > theta]],   theta_0 = 0

The step is the gradient of the squared clipping error of the layer alone, so nothing is propagated
back. The steps shrink with the share that is clipped; their number decides the balance between
clipping and quantisation. For an exponential tail 1 / (2 eta K) of the values end above theta.
Source: Bu et al., CVPR 2025 (local threshold balancing). There, batches arrive one by one; here
every step takes the expectation over all calibration data, from the histogram. eta and K are ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.calibration.statistics import BINS, ChannelStatistics
from onnx2snn.ir.errors import InvariantError

STEPS = 1000
RATE = 0.5


def local_range(
    statistics: ChannelStatistics, steps: int = STEPS, rate: float = RATE
) -> NDArray[np.float64]:
    """Return the threshold per channel [C] after ``steps`` updates; zero for silent channels.

    Expectations are over the values that are not zero: a ReLU's zeros are clipped by no threshold.
    """
    if statistics.histogram is None:
        raise InvariantError("local threshold balancing needs histograms")
    total = statistics.histogram.sum(axis=1, keepdims=True)
    weights = statistics.histogram / np.maximum(total, 1)
    centres = ((np.arange(BINS) + 0.5) / BINS)[None, :]
    # E[(a - theta)+] at the bin borders; in between it is close to linear
    above = weights[:, ::-1].cumsum(axis=1)[:, ::-1]
    moment = (weights * centres)[:, ::-1].cumsum(axis=1)[:, ::-1]
    borders = np.arange(BINS + 1) / BINS
    clipped = np.zeros((len(weights), BINS + 1))
    clipped[:, :-1] = moment - borders[None, :-1] * above
    theta = np.zeros(len(weights))
    rows = np.arange(len(weights))
    for _ in range(steps):
        place = np.minimum(theta * BINS, BINS)
        low = np.minimum(place.astype(np.int64), BINS - 1)
        share = place - low
        here = clipped[rows, low] * (1 - share) + clipped[rows, low + 1] * share
        theta = np.minimum(theta + 2 * rate * np.maximum(here, 0.0), 1.0)
    return np.where(total[:, 0] > 0, theta * statistics.reach, 0.0)

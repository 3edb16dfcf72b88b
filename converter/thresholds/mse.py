"""MSE rule: the range that minimises the quantisation error for a given number of levels.

    theta_c = argmin_r E[(a - r/L clip(floor(a L / r + 1/2), 0, L))^2],  r = k/K max a_c

Source: Li et al., ICML 2021 (SNN calibration, light pipeline): grid search per channel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.calibration.statistics import BINS, ChannelStatistics
from onnx2snn.ir.errors import InvariantError

FRACTIONS = np.linspace(1.0, 0.06, 95)


def mse_range(statistics: ChannelStatistics, levels: int) -> NDArray[np.float64]:
    """Return the best range per channel [C] among 95 fractions of the maximum."""
    if statistics.histogram is None:
        raise InvariantError("the MSE rule needs histograms")
    centres = (np.arange(BINS) + 0.5) / BINS
    step = FRACTIONS[:, None] / levels
    rounded = np.minimum(np.floor(centres[None, :] / step + 0.5), levels) * step
    squared = (rounded - centres[None, :]) ** 2
    errors = squared @ statistics.histogram.T.astype(np.float64)
    best: NDArray[np.float64] = FRACTIONS[errors.argmin(axis=0)]
    return best * statistics.reach

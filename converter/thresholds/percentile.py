"""Percentile rule: clip the rare outliers of a channel, as robust normalisation does.

Source: Rueckauer et al. 2017, sec. 2.2.1 (99.9 %); percentiles are of the non-zero magnitudes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.calibration.statistics import BINS, ChannelStatistics
from onnx2snn.ir.errors import InvariantError


def percentile_range(statistics: ChannelStatistics, percentile: float) -> NDArray[np.float64]:
    """Return the percentile of |a_c| among non-zero values [C], at histogram resolution."""
    if statistics.histogram is None:
        raise InvariantError("the percentile rule needs histograms")
    cumulative = np.cumsum(statistics.histogram, axis=1)
    target = cumulative[:, -1:] * (percentile / 100)
    first = (cumulative >= np.maximum(target, 1)).argmax(axis=1)
    return np.where(cumulative[:, -1] > 0, statistics.reach * (first + 1) / BINS, 0.0)

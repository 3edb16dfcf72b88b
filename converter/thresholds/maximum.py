"""Maximum rule: the range of a channel is its greatest magnitude on the calibration data.

Source: data-based normalisation, Diehl et al. 2015 (there per layer, here per channel).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.calibration.statistics import ChannelStatistics


def maximum_range(statistics: ChannelStatistics) -> NDArray[np.float64]:
    """Return max |a_c| [C]."""
    return statistics.reach

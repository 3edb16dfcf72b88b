"""Threshold rules: statistics of a layer to the range [C] that its quanta divide."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.calibration.statistics import ChannelStatistics, pooled
from onnx2snn.converter.presets import Preset, ThresholdRule
from onnx2snn.converter.thresholds.iteration import iterated_range
from onnx2snn.converter.thresholds.local import local_range
from onnx2snn.converter.thresholds.maximum import maximum_range
from onnx2snn.converter.thresholds.mse import mse_range
from onnx2snn.converter.thresholds.percentile import percentile_range

RangeRule = Callable[[ChannelStatistics, Preset], NDArray[np.float64]]

THRESHOLD_RULES: Mapping[ThresholdRule, RangeRule] = {
    "maximum": lambda statistics, preset: maximum_range(statistics),
    "percentile": lambda statistics, preset: percentile_range(statistics, preset.percentile),
    "iteration": lambda statistics, preset: iterated_range(statistics, preset.grid_levels),
    "local": lambda statistics, preset: local_range(statistics),
    "threshold-relu": lambda statistics, preset: maximum_range(statistics),  # of the clipped ANN
    "mse": lambda statistics, preset: mse_range(statistics, preset.grid_levels),
}


def activation_range(statistics: ChannelStatistics, preset: Preset) -> NDArray[np.float64]:
    """Return the positive range per channel [C]; silent channels get their layer's median."""
    channels = len(statistics.least)
    if preset.granularity == "layer":
        statistics = pooled(statistics)
    found = THRESHOLD_RULES[preset.threshold_rule](statistics, preset)
    found = np.broadcast_to(found, (channels,))
    alive = found > 0
    spare = float(np.median(found[alive])) if alive.any() else 1.0
    return np.where(alive, found, spare) * preset.margin


__all__ = ["THRESHOLD_RULES", "activation_range"]

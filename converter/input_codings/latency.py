"""Latency coding: one spike per value, the earlier the greater it is (time to first spike).

The window has ``input_window`` slots: S by default, and half of T where S = 1 (delta coding), so
that the network can settle behind the last spikes. The range is that of the calibration data, and
values are rounded to one part of the window of it.
Sources: seed 3 (He et al. 2024), sec. 3; :mod:`onnx2snn.ir.ops.first_spike`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnx2snn.converter.calibration.input_grid import InputGrid
from onnx2snn.converter.input_codings.base import InputCoder
from onnx2snn.converter.planning.sites import NeuronParameters
from onnx2snn.converter.presets import Preset
from onnx2snn.ir.ops import FirstSpike

TITLE = "latency coding"


def window(preset: Preset) -> int:
    """Return the number of slots W."""
    if preset.input_window is not None:
        return preset.input_window
    stimulus = preset.stimulus or 1
    return stimulus if stimulus > 1 else max(1, preset.timesteps // 2)


def _encoder(grid: InputGrid, preset: Preset, _seed: int) -> NeuronParameters:
    """Return an encoder whose quantum is the charge of one slot, S range / W."""
    slots = window(preset)
    quantum = np.asarray(grid.reach * (preset.stimulus or 1) / slots, np.float32)
    constants = {"window": np.asarray(slots, np.int64)}
    return NeuronParameters(FirstSpike(), quantum, 0.0, 0.0, {}, constants)


def _describe(_grids: Mapping[str, InputGrid], preset: Preset, _seed: int) -> str:
    slots = window(preset)
    return f"{TITLE}, one spike per input in {slots} slots, weight by time, error <= 1/{2 * slots}"


def _problem(preset: Preset) -> str:
    if preset.stimulus is None:
        return (
            "latency coding needs a fixed number of stimulus steps, so that a time means one value"
        )
    return ""


LATENCY = InputCoder(
    name="latency", title=TITLE, encoder=_encoder, describe=_describe, problem=_problem
)

"""Poisson rate coding: unit spikes drawn with a probability proportional to the value.

The least value of the data's grid is silence (probability 0), the greatest of the calibration
data fires at every timestep; data on no grid is signed around zero, with spikes of either sign.
Values beyond the calibrated range are clipped to it.
Source: seed 3 (He et al. 2024), eq. 17.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnx2snn.converter.calibration.input_grid import InputGrid
from onnx2snn.converter.input_codings.base import InputCoder
from onnx2snn.converter.planning.sites import NeuronParameters
from onnx2snn.converter.presets import Preset
from onnx2snn.ir.ops import PoissonSpikes

TITLE = "Poisson rate coding"


def _encoder(grid: InputGrid, _preset: Preset, seed: int) -> NeuronParameters:
    quantum = np.asarray(grid.reach, np.float32)
    constants = {"seed": np.asarray(seed, np.int64)}
    return NeuronParameters(PoissonSpikes(), quantum, 0.0, 0.0, {}, constants)


def _describe(grids: Mapping[str, InputGrid], _preset: Preset, seed: int) -> str:
    signed = any(grid.signed for grid in grids.values())
    return f"{TITLE}, {'ternary' if signed else 'binary'} spikes, seed {seed}"


def _problem(preset: Preset) -> str:
    if preset.stimulus == 1:
        return (
            "Poisson coding needs more than one stimulus step: with S = 1 every value would be "
            "one random spike or none"
        )
    return ""


POISSON = InputCoder(
    name="poisson", title=TITLE, encoder=_encoder, describe=_describe, problem=_problem
)

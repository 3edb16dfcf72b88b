"""Graded bit-planes: the input's own grid in powers of two, without loss for 8-bit data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnx2snn.converter.calibration.input_grid import InputGrid
from onnx2snn.converter.input_codings.base import InputCoder
from onnx2snn.converter.planning.sites import UNLIMITED, NeuronParameters
from onnx2snn.converter.presets import Preset
from onnx2snn.ir.ops import GradedIntegrateFire

TITLE = "graded"


def _encoder(grid: InputGrid, preset: Preset, _seed: int) -> NeuronParameters:
    """Return a graded neuron on the input's own grid.

    With S = T the input arrives at every timestep, each time as up to 8 digits.
    """
    op = GradedIntegrateFire(digits=preset.input_digits)
    reach = UNLIMITED if preset.stimulus is None else float(grid.levels * preset.stimulus * 2)
    quantum = np.asarray(grid.quantum, np.float32)
    return NeuronParameters(op, quantum, -reach, reach, {})


def _describe(grids: Mapping[str, InputGrid], preset: Preset, _seed: int) -> str:
    if all(grid.lossless for grid in grids.values()):
        return f"{TITLE} bit-planes, lossless on the data's grid, k = {preset.input_digits}"
    return f"{TITLE} spikes on a fine signed grid, k = {preset.input_digits}"


BIT_PLANES = InputCoder(name="bit-planes", title=TITLE, encoder=_encoder, describe=_describe)

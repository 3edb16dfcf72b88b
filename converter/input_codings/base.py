"""What an input coding is: how the values of an input become spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onnx2snn.converter.calibration.input_grid import InputGrid
from onnx2snn.converter.planning.sites import NeuronParameters
from onnx2snn.converter.presets import InputCoding, Preset

Encoder = Callable[[InputGrid, Preset, int], NeuronParameters]
"""From grid, knobs and a seed of its own to the operator behind the direct current."""


@dataclass(frozen=True)
class InputCoder:
    """One input coding.

    Attributes:
        name: the value of the knob ``input_coding``.
        title: the words with which ``describe`` begins, whatever the data.
        encoder: the operator that makes spikes; None if the input stays a direct current.
        describe: the coding in words, for the manifest.
        problem: why a preset does not go with it; empty if it does.
    """

    name: InputCoding
    title: str
    encoder: Encoder | None
    describe: Callable[[Mapping[str, InputGrid], Preset, int], str]
    problem: Callable[[Preset], str] = lambda _preset: ""

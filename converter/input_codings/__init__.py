"""Input codings: how the values of an input become a stream; one file a coding."""

from __future__ import annotations

from onnx2snn.converter.input_codings.base import InputCoder
from onnx2snn.converter.input_codings.bit_planes import BIT_PLANES
from onnx2snn.converter.input_codings.direct import DIRECT
from onnx2snn.converter.input_codings.latency import LATENCY
from onnx2snn.converter.input_codings.poisson import POISSON
from onnx2snn.converter.presets import Preset
from onnx2snn.ir.errors import DataError

INPUT_CODINGS: tuple[InputCoder, ...] = (BIT_PLANES, DIRECT, POISSON, LATENCY)


def input_coder(preset: Preset, codings: tuple[InputCoder, ...] = INPUT_CODINGS) -> InputCoder:
    """Return the coding a preset asks for.

    Raises:
        DataError: the preset's stimulus does not go with it.
    """
    coder = next(coder for coder in codings if coder.name == preset.input_coding)
    problem = coder.problem(preset)
    if problem:
        raise DataError(
            problem,
            remedy="give --stimulus (S), or start from a preset such as 'ternary' "
            "(S fixed) or 'rate' (S = T)",
        )
    return coder


__all__ = ["INPUT_CODINGS", "InputCoder", "input_coder"]

"""int8 models made by onnxruntime's own quantizer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from tests.nets import NETS, build

from onnx2snn.converter.judging.execution import Execution

STATIC = {
    "qdq": {},
    "qdq_int8": {"activation_type": QuantType.QInt8},
    "qdq_per_channel": {"per_channel": True},
    "qoperator": {"quant_format": QuantFormat.QOperator},
}


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, model: onnx.ModelProto) -> None:
        run = Execution(model)
        self._feeds: Iterator[dict[str, np.ndarray]] = iter(run.feeds(1, i) for i in range(8))

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def quantised(net: str, how: str) -> onnx.ModelProto:
    """The net, quantised with weights of int8: ``how`` is a key of STATIC, or "dynamic"."""
    model = build(NETS[net])
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "float.onnx"), Path(directory, "int8.onnx")
        onnx.save(model, source)
        if how == "dynamic":
            quantize_dynamic(source, target)
        else:
            options = {"quant_format": QuantFormat.QDQ, "weight_type": QuantType.QInt8}
            quantize_static(source, target, _Reader(model), **{**options, **STATIC[how]})
        return onnx.load(target)

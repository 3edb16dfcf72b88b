"""The spiking file takes and returns what the source did, whatever that was written in."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from tests.converter.formats.quantised import quantised
from tests.converter.formats.test_quantised import TFLITE
from tests.converter.formats.test_use_float32 import in_type
from tests.converter.passes.test_unroll_recurrent import PYTORCH_LAST
from tests.nets import build

from onnx2snn.converter.convert import convert
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model

MODELS = {
    "float16": lambda: in_type("mlp", TensorProto.FLOAT16),
    "float64": lambda: in_type("mlp", TensorProto.DOUBLE),
    "float16_conv": lambda: in_type("maxpool", TensorProto.FLOAT16),
    "uint8": lambda: build(TFLITE),
    "qdq": lambda: quantised("mlp", "qdq"),
    "qoperator": lambda: quantised("conv_bn_relu", "qoperator"),
    "dynamic": lambda: quantised("mlp", "dynamic"),
    "gru": lambda: build(PYTORCH_LAST),
}


def interface(graph: onnx.GraphProto) -> list[tuple[str, int, int]]:
    stored = {tensor.name for tensor in graph.initializer}
    items = [item for item in (*graph.input, *graph.output) if item.name not in stored]
    kinds = [item.type.tensor_type for item in items]
    return [
        (item.name, kind.elem_type, len(kind.shape.dim))
        for item, kind in zip(items, kinds, strict=True)
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_a_spiking_network_stands_in_for_its_source(name: str) -> None:
    source = read_model(MODELS[name]()).model
    run = Execution(source)
    feeds = run.feeds(16, 1)
    spiking, _ = convert(MODELS[name](), calibration=feeds, timesteps=64)
    assert interface(spiking.proto.graph) == interface(source.graph)
    wanted, found = run.run(feeds), Execution(spiking.proto).run(feeds)
    for output, value in wanted.items():
        assert found[output].dtype == value.dtype
        difference = np.abs(np.asarray(found[output], np.float64) - np.asarray(value, np.float64))
        # A few steps of 8 bits at the input and in each of up to five layers.
        assert difference.max() <= 0.05 * np.abs(np.asarray(value, np.float64)).max()

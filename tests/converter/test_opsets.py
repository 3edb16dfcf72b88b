"""The same nets written in every opset have the same canonical form."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.version_converter
import pytest
from onnx import helper
from tests.nets import NETS, build

from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.judging.agreement import agree
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model

NEWEST = onnx.defs.onnx_opset_version()


@pytest.mark.parametrize("opset", range(15, NEWEST + 1))
def test_from_fifteen_to_the_newest(opset: int) -> None:
    model = onnx.version_converter.convert_version(build(NETS["residual"]), opset)
    model.ir_version = min(onnx.IR_VERSION, 10 if opset <= 21 else onnx.IR_VERSION)
    source = read_model(model)
    assert source.opset == opset
    found = canonicalise(source).model.graph.node
    wanted = canonicalise(read_model(build(NETS["residual"]))).model.graph.node
    assert [(n.name, n.op_type) for n in found] == [(n.name, n.op_type) for n in wanted]


def old_net(opset: int) -> onnx.ModelProto:
    """What opsets up to 10 say with attributes: bounds, pads, axes, starts, scales."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "v": rng.normal(size=(4, 5)).astype(np.float32),
        "c": rng.normal(size=(1, 5)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Pad", ["x"], ["p"], "pad", pads=[0, 0, 1, 1, 0, 0, 1, 1]),
        helper.make_node("Conv", ["p", "w"], ["h"], "conv", kernel_shape=[3, 3]),
        helper.make_node("Clip", ["h"], ["r"], "clip", min=0.0, max=6.0),
        helper.make_node("Slice", ["r"], ["s"], "cut", axes=[2, 3], starts=[0, 0], ends=[8, 8]),
        helper.make_node("ReduceMean", ["s"], ["m"], "mean", axes=[2, 3], keepdims=1),
        helper.make_node("Squeeze", ["m"], ["f"], "squeeze", axes=[2, 3]),
        helper.make_node("Dropout", ["f"], ["d"], "dropout", ratio=0.5),
        helper.make_node("Gemm", ["d", "v", "c"], ["g"], "fc"),
        helper.make_node("Softmax", ["g"], ["y"], "softmax"),
    ]
    graph = helper.make_graph(
        nodes,
        "old",
        [helper.make_tensor_value_info("x", 1, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("y", 1, ["N", 5])],
        [onnx.numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=4)


@pytest.mark.parametrize("opset", [7, 8, 9])
def test_what_old_opsets_say_with_attributes(opset: int) -> None:
    model = old_net(opset)
    canonical = canonicalise(read_model(model))
    ops = [node.op_type for node in canonical.model.graph.node]
    assert ops[:2] == ["Conv", "Clip"]
    assert ops[-2:] == ["Gemm", "Softmax"]
    assert canonical.batch_free
    before, after = Execution(model), Execution(canonical.model)
    feeds = before.feeds(3, 7)
    assert agree(after.run(feeds), before.run(feeds)) is None

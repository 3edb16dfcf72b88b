"""Half and double precision: float32 inside, the source's types outside."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from tests.nets import NETS, build

from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.errors import UnsupportedOpError

NAMES = {TensorProto.FLOAT16: "float16", TensorProto.DOUBLE: "double", TensorProto.BFLOAT16: "bf"}


def in_type(net: str, kind: int, *, interface: bool = True) -> onnx.ModelProto:
    """The net with all its floating-point tensors in another type."""
    model = build(NETS[net])
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(tensor).astype(dtype)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    if not interface:
        return _cast_interface(model, kind)
    for item in (*model.graph.input, *model.graph.output):
        item.type.tensor_type.elem_type = kind
    return model


def _cast_interface(model: onnx.ModelProto, kind: int) -> onnx.ModelProto:
    for node in model.graph.node:
        node.input[:] = ["inner_x" if name == "x" else name for name in node.input]
        node.output[:] = ["inner_y" if name == "y" else name for name in node.output]
    head = onnx.helper.make_node("Cast", ["x"], ["inner_x"], "down", to=kind)
    tail = onnx.helper.make_node("Cast", ["inner_y"], ["y"], "up", to=TensorProto.FLOAT)
    nodes = [head, *model.graph.node, tail]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
@pytest.mark.parametrize("net", NETS)
def test_the_canonical_form_computes_in_float32(net: str, kind: int) -> None:
    model = in_type(net, kind)
    canonical = canonicalise(read_model(model))
    plain = [n.op_type for n in canonicalise(read_model(build(NETS[net]))).model.graph.node]
    assert [n.op_type for n in canonical.model.graph.node] == ["Cast", *plain, "Cast"]
    for before, after in (
        (model.graph.input, canonical.model.graph.input),
        (model.graph.output, canonical.model.graph.output),
    ):
        assert [(i.name, i.type.tensor_type.elem_type) for i in before] == [
            (i.name, i.type.tensor_type.elem_type) for i in after
        ]
    assert {t.data_type for t in canonical.model.graph.initializer} <= {1, TensorProto.INT64}
    if kind == TensorProto.DOUBLE and "Conv" in " ".join(plain):
        assert [f.code for f in canonical.findings] == ["precision-not-runnable"]
        return  # ONNX Runtime has no Conv for doubles
    assert canonical.findings == ()
    source, result = Execution(model), Execution(canonical.model)
    feeds = source.feeds(1, 7)
    expected = np.asarray(source.run(feeds)["y"], np.float64)
    found = np.asarray(result.run(feeds)["y"], np.float64)
    # The source rounds to 11 bits at each of up to ten operators; doubles to 24 bits in the result.
    tolerance = 1e-2 if kind == TensorProto.FLOAT16 else 1e-5
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def test_casts_inside_are_gone() -> None:
    canonical = canonicalise(read_model(in_type("mlp", TensorProto.FLOAT16, interface=False)))
    assert [node.op_type for node in canonical.model.graph.node] == ["Gemm", "Relu", "Gemm"]
    assert canonical.findings == ()


def test_bfloat16_inside_is_converted_and_said_to_be_unproved() -> None:
    canonical = canonicalise(read_model(in_type("mlp", TensorProto.BFLOAT16, interface=False)))
    assert [node.op_type for node in canonical.model.graph.node] == ["Gemm", "Relu", "Gemm"]
    assert [(f.code, f.severity) for f in canonical.findings] == [
        ("precision-not-runnable", "warning")
    ]


def test_a_bfloat16_interface_is_refused_with_a_remedy() -> None:
    with pytest.raises(UnsupportedOpError, match="float32 inputs") as caught:
        canonicalise(read_model(in_type("mlp", TensorProto.BFLOAT16)))
    assert {f.code for f in caught.value.findings} == {"bfloat16-interface"}


def test_an_endless_bound_in_double_stays_endless_in_float32() -> None:
    model = build(
        "n (double[N,4] x) => (double[N,4] y) <double[4,4] w, double low = {0}, double high>"
        " { h = MatMul (x, w) [clip] y = Clip (h, low, high) }"
    )
    values = np.array(np.finfo(np.float64).max)
    model.graph.initializer[-1].CopyFrom(onnx.numpy_helper.from_array(values, "high"))
    ops = [node.op_type for node in canonicalise(read_model(model)).model.graph.node]
    assert ops == ["Cast", "MatMul", "Relu", "Cast"]


def test_an_output_that_is_also_read_inside() -> None:
    model = build(
        "n (float16[N,4] x) => (float16[N,4] y, float16[N,4] z)"
        " { [relu] y = Relu (x) [more] z = Tanh (y) }"
    )
    canonical = canonicalise(read_model(model))
    assert [o.name for o in canonical.model.graph.output] == ["y", "z"]
    nodes = {node.name: node for node in canonical.model.graph.node}
    assert list(nodes["more"].input) == list(nodes["relu"].output)

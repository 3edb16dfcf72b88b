"""Operators with packed or int8 weights against ONNX Runtime, which runs the original."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.session import Session

MICROSOFT = "com.microsoft"


def model(
    nodes: list[onnx.NodeProto], inputs: list[int | str], outputs: list[int | str], stored: dict
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "packed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, outputs)],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def packed(bits: int, k: int, block: int, zeros: bool) -> onnx.ModelProto:
    """A MatMulNBits of random bytes, [N, k] -> [N, 6], and a ReLU."""
    rng, blocks, n = np.random.default_rng(0), -(-k // block), 6
    stored = {
        "w": rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8),
        "s": rng.uniform(0.01, 0.1, n * blocks).astype(np.float32),
        "b": rng.normal(size=n).astype(np.float32),
    }
    if zeros:
        stored["z"] = rng.integers(0, 256, n * -(-blocks * bits // 8)).astype(np.uint8)
    names = ["x", "w", "s", "z" if zeros else "", "", "b"]
    attributes = {"K": k, "N": n, "bits": bits, "block_size": block}
    nodes = [
        helper.make_node("MatMulNBits", names, ["h"], "op", domain=MICROSOFT, **attributes),
        helper.make_node("Relu", ["h"], ["y"], "relu"),
    ]
    return model(nodes, ["N", k], ["N", n], stored)


@pytest.mark.parametrize(
    ("bits", "k", "block", "zeros"),
    [
        (4, 40, 16, True),
        (4, 40, 16, False),
        (8, 32, 16, True),
        (2, 32, 16, True),
        (4, 96, 32, True),
    ],
)
def test_packed_weights_are_what_they_stand_for(bits: int, k: int, block: int, zeros: bool) -> None:
    source = packed(bits, k, block, zeros)
    canonical = canonicalise(read_model(source))
    assert [node.op_type for node in canonical.model.graph.node] == ["Gemm", "Relu"]
    x = {"x": np.random.default_rng(1).normal(size=(5, k)).astype(np.float32)}
    before, after = Session(source).run(x)["y"], Session(canonical.model).run(x)["y"]
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)  # sums in another order


def test_computed_weights_are_refused() -> None:
    source = packed(4, 32, 16, zeros=False)
    source.graph.node.insert(0, helper.make_node("Slice", ["x", "c", "d"], ["part"], "slice"))
    source.graph.node[1].input[2] = "scales"
    source.graph.node.insert(1, helper.make_node("Reshape", ["part", "e"], ["scales"], "flat"))
    for name, value in {"c": [0, 0], "d": [1, 12], "e": [12]}.items():
        source.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    with pytest.raises(UnsupportedOpError, match="MatMulNBits"):
        canonicalise(read_model(source))


def int8_lstm(directions: int = 1) -> onnx.ModelProto:
    """A DynamicQuantizeLSTM over 5 steps, [5, N, 6] -> [5, 1, N, 8]."""
    rng, hidden = np.random.default_rng(0), 8
    stored = {}
    for name, width in (("w", 6), ("r", hidden)):
        stored[name] = rng.integers(-127, 128, (directions, width, 4 * hidden)).astype(np.int8)
        stored[f"{name}_s"] = np.full(directions, 0.004, np.float32)
        stored[f"{name}_z"] = np.zeros(directions, np.int8)
    stored["b"] = rng.normal(size=(directions, 8 * hidden)).astype(np.float32)
    names = ["x", "w", "r", "b", "", "", "", "", "w_s", "w_z", "r_s", "r_z"]
    way = "bidirectional" if directions == 2 else "forward"
    node = helper.make_node(
        "DynamicQuantizeLSTM",
        names,
        ["y"],
        "op",
        domain=MICROSOFT,
        hidden_size=hidden,
        direction=way,
    )
    return model([node], [5, "N", 6], [5, directions, "N", hidden], stored)


@pytest.mark.parametrize("directions", [1, 2])
def test_an_int8_lstm_becomes_a_float_one(directions: int) -> None:
    source = int8_lstm(directions)
    canonical = canonicalise(read_model(source), input_shapes={"x": (5, 3, 6)})
    assert {node.domain for node in canonical.model.graph.node} <= {"", "onnx2snn.ann"}
    (told,) = (f for f in canonical.findings if f.code == "dynamic-rounding-dropped")
    assert told.severity == "info"
    x = {"x": np.random.default_rng(1).normal(size=(5, 3, 6)).astype(np.float32)}
    before, after = Session(source).run(x)["y"], Session(canonical.model).run(x)["y"]
    assert np.abs(after - before).max() < 0.02  # 8 bits of the activations are left out


def test_simplified_layer_norm_in_the_standard_domain() -> None:
    """As ONNX Runtime's optimiser writes it, where no specification has it."""
    rng = np.random.default_rng(0)
    stored = {
        "w": rng.normal(size=(6, 8)).astype(np.float32),
        "s": rng.uniform(0.5, 2, 8).astype(np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "fc"),
        helper.make_node("SimplifiedLayerNormalization", ["h", "s"], ["n"], "op", epsilon=1e-3),
        helper.make_node("Relu", ["n"], ["y"], "relu"),
    ]
    source = model(nodes, ["N", 6], ["N", 8], stored)
    canonical = canonicalise(read_model(source))
    assert [node.op_type for node in canonical.model.graph.node] == ["MatMul", "RMSNorm", "Relu"]
    x = {"x": rng.normal(size=(5, 6)).astype(np.float32)}
    before, after = Session(source).run(x)["y"], Session(canonical.model).run(x)["y"]
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)  # other order of operations

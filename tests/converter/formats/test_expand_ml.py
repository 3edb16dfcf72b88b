"""ai.onnx.ml against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model


def model_of(node: onnx.NodeProto, outputs: list[tuple[str, int, list[int | str]]]) -> bytes:
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info(*output) for output in outputs],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def ml(op: str, outputs: list[str], **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, ["x"], outputs, name="op", domain="ai.onnx.ml", **attributes)


WEIGHTS = [0.5, -1.0, 0.25, 0.75, 0.5, -0.5]
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
CASES = {
    "scaler": (
        ml("Scaler", ["y"], offset=[0.5, 0.25, -1.0], scale=[2.0, 4.0, 0.5]),
        [("y", FLOAT, ["N", 3])],
        ["Sub", "Mul"],
    ),
    "imputer": (
        ml("Imputer", ["y"], imputed_value_floats=[1.0, 2.0, 3.0], replaced_value_float=0.0),
        [("y", FLOAT, ["N", 3])],
        ["Equal", "Where"],
    ),
    "regressor": (
        ml("LinearRegressor", ["y"], coefficients=WEIGHTS, intercepts=[0.1, 0.2], targets=2),
        [("y", FLOAT, ["N", 2])],
        ["Gemm"],
    ),
    "classifier": (
        ml(
            "LinearClassifier",
            ["label", "scores"],
            coefficients=WEIGHTS,
            intercepts=[0.1, 0.2],
            classlabels_ints=[7, 9],
            post_transform="SOFTMAX",
            multi_class=1,
        ),
        [("label", INT, ["N"]), ("scores", FLOAT, ["N", 2])],
        ["Gemm", "Softmax", "ArgMax", "Gather"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_becomes_standard_operators(name: str) -> None:
    node, outputs, ops = CASES[name]
    source = read_model(model_of(node, outputs))
    canonical = canonicalise(source)
    assert [item.op_type for item in canonical.model.graph.node] == ops
    before, after = Execution(source.model), Execution(canonical.model)
    feeds = before.feeds(6, 3)
    feeds["x"][0] = 0.0
    for output, wanted in before.run(feeds).items():
        np.testing.assert_allclose(after.run(feeds)[output], wanted, rtol=1e-5, atol=1e-6)


def test_labels_may_be_words() -> None:
    node = ml(
        "LinearClassifier",
        ["label", "scores"],
        coefficients=WEIGHTS,
        intercepts=[0.1, 0.2],
        classlabels_strings=["cat", "dog"],
        post_transform="NONE",
    )
    outputs: list[tuple[str, int, list[int | str]]] = [
        ("label", TensorProto.STRING, ["N"]),
        ("scores", FLOAT, ["N", 2]),
    ]
    source = read_model(model_of(node, outputs))
    canonical = canonicalise(source)
    feeds = Execution(source.model).feeds(6, 3)
    before, after = Execution(source.model).run(feeds), Execution(canonical.model).run(feeds)
    assert np.asarray(after["label"]).tolist() == np.asarray(before["label"]).tolist()


def test_the_head_stays_as_it_is() -> None:
    node = ml("Normalizer", ["y"], norm="L2")
    canonical = canonicalise(read_model(model_of(node, [("y", FLOAT, ["N", 3])])))
    assert [item.op_type for item in canonical.model.graph.node] == ["Normalizer"]

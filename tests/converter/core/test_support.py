"""The support table says what conversions do: every line that can be asked is asked."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.converter.activations import ACTIVATIONS
from onnx2snn.converter.check import check
from onnx2snn.converter.formats.expand_fused import FUSED
from onnx2snn.converter.planning.plan import UNLIFTABLE
from onnx2snn.converter.source.content import RANDOM_OPS
from onnx2snn.converter.support import OperatorSupport, operator_support, rewritings
from onnx2snn.ir.linear import LINEAR_OPS

TABLE = {(line.domain, line.operator): line for line in operator_support()}
FLOAT = "tensor(float)"
NOT_ALONE = ("DFT", "Resize", "SplitToSequence")
"""Operators that need an axis of two, a size, or another output than a tensor."""
FATES = ("neuron", "linear", "lift", "read-out")


def takes_one_tensor(line: OperatorSupport) -> bool:
    """Whether a lone float tensor is enough for the operator, with default attributes."""
    if line.domain or line.fate not in FATES or line.operator in NOT_ALONE:
        return False
    schema = onnx.defs.get_schema(line.operator, 21, "")
    required = [
        i for i in schema.inputs if i.option == onnx.defs.OpSchema.FormalParameterOption.Single
    ]
    return (
        len(required) == 1
        and FLOAT in required[0].types
        and not any(attribute.required for attribute in schema.attributes.values())
    )


ALONE = [line for line in TABLE.values() if takes_one_tensor(line)]


def net(op: str) -> onnx.ModelProto:
    """Weights, a ReLU, the operator, another ReLU if it gives floats, and weights again."""
    rng = np.random.default_rng(0)
    shape = (3, 6, 6) if "Pool" in op or "Norm" in op or op == "LRN" else (6, 6)
    shape = (6,) if op == "EyeLike" else shape
    weights = rng.normal(size=(6, 6)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "fc1"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node(op, ["r"], ["o"], "asked"),
    ]
    schema = onnx.defs.get_schema(op, 21, "")
    floats = FLOAT in schema.outputs[0].types
    kinds = {"tensor(bool)": TensorProto.BOOL, "tensor(int64)": TensorProto.INT64}
    kind = TensorProto.FLOAT
    if floats:
        nodes.append(helper.make_node("Relu", ["o"], ["y"], "last"))
    else:
        nodes[-1].output[0] = "y"
        kind = next(number for text, number in kinds.items() if text in schema.outputs[0].types)
    graph = helper.make_graph(
        nodes,
        op,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = helper.make_opsetid("", 21)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    inferred = onnx.shape_inference.infer_shapes(model)
    (output,) = inferred.graph.output
    if not output.type.tensor_type.HasField("shape"):  # unknown to shape inference: as the input's
        output.CopyFrom(helper.make_tensor_value_info("y", kind, [None] * (len(shape) + 1)))
    return inferred


@pytest.mark.parametrize("line", ALONE, ids=lambda line: line.operator)
def test_the_table_says_what_check_finds(line: OperatorSupport) -> None:
    report = check(net(line.operator))
    assert report.convertible, [str(finding) for finding in report.findings]
    (found,) = (node for node in report.nodes if node.node == "asked")
    assert found.fate in (line.fate, "folded")
    analog = found.fate == "lift" and found.detail.startswith("analog")
    assert analog == (line.spiking is False)


def test_many_operators_are_asked() -> None:
    fates = {line.fate for line in ALONE}
    assert fates == set(FATES)
    assert len(ALONE) > 40


def test_every_operator_has_one_full_line() -> None:
    known = {s.name for s in onnx.defs.get_all_schemas() if s.domain == "" and not s.deprecated}
    assert known == {name for domain, name in TABLE if domain == ""}
    assert len(TABLE) == len(operator_support())
    assert all(line.operator and line.treatment for line in TABLE.values())
    assert all(step.name and step.effect for step in rewritings())


def test_the_table_follows_the_code() -> None:
    for name in LINEAR_OPS:
        assert (TABLE["", name].fate, TABLE["", name].spiking) == ("linear", True)
    for name in RANDOM_OPS:
        assert TABLE["", name].fate == "refused"
    for name in ("NonZero", "Loop", "Scan"):
        assert UNLIFTABLE[name] in TABLE["", name].treatment
    for name in FUSED:
        assert TABLE["com.microsoft", name].fate == "folded"
    assert TABLE["onnx2snn.ann", "Silu"].fate == "neuron"
    fired = [line for line in TABLE.values() if line.fate == "neuron"]
    assert len(fired) >= len(ACTIVATIONS)

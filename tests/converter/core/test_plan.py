"""The plan: what becomes of every node, and everything that cannot be converted, at once."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from tests.nets import BRANCHES, MAXPOOL, RESIDUAL, build

from onnx2snn.converter.check import check
from onnx2snn.converter.convert import convert
from onnx2snn.converter.planning.plan import Plan, frontier, plan_network, read_out_tensors
from onnx2snn.ir.errors import UnsupportedOpError


def plan(text: str) -> tuple[gs.Graph, Plan]:
    graph = gs.import_onnx(build(text))
    return graph, plan_network(graph)


def fates(text: str) -> dict[str, str]:
    return {name: fate.fate for name, fate in plan(text)[1].fates.items()}


def test_residual_net() -> None:
    found = fates(RESIDUAL)
    assert [name for name, fate in found.items() if fate == "neuron"] == ["relu0", "relu1", "relu2"]
    assert {found[n] for n in ("conv0", "conv1", "add", "pool", "flat", "fc")} == {"linear"}


def test_pools_and_concatenations() -> None:
    assert fates(MAXPOOL)["pool"] == "spiking-pool"
    assert fates(BRANCHES)["concat"] == "linear"


ATTENTION = """
attention (float[N,4,6] x) => (float[N,4,3] y)
    <float[6,6] q, float[6,6] k, float[6,6] v, float[6,3] w>
{
    [query] a = MatMul (x, q)
    [key] b = MatMul (x, k)
    [turned] c = Transpose <perm = [0, 2, 1]> (b)
    [scores] s = MatMul (a, c)
    [softmax] p = Softmax (s)
    [value] u = MatMul (x, v)
    [mixed] m = MatMul (p, u)
    [head] y = MatMul (m, w)
}
"""


def test_attention_is_products_of_activations_around_a_lift() -> None:
    found = fates(ATTENTION)
    assert (found["scores"], found["mixed"]) == ("bilinear", "bilinear")
    assert found["softmax"] == "lift"
    assert {found[n] for n in ("query", "key", "value", "head")} == {"linear"}


def test_what_follows_the_last_weights_is_read_out() -> None:
    text = RESIDUAL.replace("=> (float[N,6] y)", "=> (float[N,6] p, int64[N,1] label)").replace(
        "[fc] y = Gemm (f, v, c)",
        "[fc] y = Gemm (f, v, c) [softmax] p = Softmax (y) [label] label = ArgMax <axis = 1> (p)",
    )
    graph, found = plan(text)
    assert found.fates["softmax"].fate == found.fates["label"].fate == "read-out"
    assert read_out_tensors(graph, found) == ("y",)
    assert [tensor.name for tensor in frontier(graph, found)] == ["x"]


def test_indices_become_a_stream_behind_the_embedding() -> None:
    graph, found = plan("""
    tokens (int64[N,5] ids) => (float[N,5,2] y) <float[9,4] table, float[4,2] w>
    {
        [look] e = Gather (table, ids)
        [relu] r = Relu (e)
        [head] y = MatMul (r, w)
    }""")
    assert found.kinds["ids"] == "raw"
    assert found.fates["look"].fate == "prologue"
    assert [tensor.name for tensor in frontier(graph, found)] == ["e"]


REFUSED = """
refused (float[N,4] x) => (float[M,3] y) <float[4,4] w, float[4,3] v, bool[4] pick = {1, 0, 1, 1}>
{
    [fc] h = MatMul (x, w)
    [relu] r = Relu (h)
    [compress] c = Compress <axis = 0> (r, pick)
    [unique] u = Unique <axis = 0> (c)
    [head] y = MatMul (u, v)
}
"""


def test_all_refusals_are_told_at_once() -> None:
    _, found = plan(REFUSED)
    problems = found.problems
    assert [(p.node, p.op) for p in problems] == [("compress", "Compress"), ("unique", "Unique")]
    for problem in problems:
        assert "depends on the data" in problem.message
        assert problem.remedy
        assert problem.opset == 21
    with pytest.raises(UnsupportedOpError) as raised:
        convert(build(REFUSED), calibration={"x": np.ones((5, 4), np.float32)})
    assert {finding.node for finding in raised.value.findings} == {"compress", "unique"}
    assert not check(build(REFUSED)).convertible


def test_a_net_without_activation_is_refused() -> None:
    text = "linear (float[N,4] x) => (float[N,3] y) <float[4,3] w> { y = MatMul (x, w) }"
    with pytest.raises(UnsupportedOpError, match="no activation") as raised:
        convert(build(text))
    assert raised.value.findings[0].remedy
    assert not check(build(text)).convertible


def test_branches_that_read_streams_are_refused() -> None:
    text = """
    branches (float[N,4] x, bool first) => (float[N,3] y) <float[4,4] w, float[4,3] v>
    {
        [fc] h = MatMul (x, w)
        [relu] r = Relu (h)
        [choose] c = If (first) <
            then_branch = yes () => (float[N,4] a) { a = Abs (r) },
            else_branch = no () => (float[N,4] b) { b = Neg (r) }
        >
        [head] y = MatMul (c, v)
    }"""
    problems = plan(text)[1].problems
    assert [(p.node, p.op) for p in problems] == [("choose", "If")]
    assert "branches" in problems[0].message


def test_strict_names_every_analog_operator() -> None:
    with pytest.raises(UnsupportedOpError) as raised:
        convert(build(ATTENTION), strict=True)
    analog = ["scores", "softmax", "mixed"]
    named = [finding.node.split(" ")[0] for finding in raised.value.findings]
    assert named == analog  # products of two activations, too
    report = check(build(ATTENTION), strict=True)
    assert not report.convertible
    assert [f.node for f in report.findings if f.code == "analog-op"] == analog
    convert(build(RESIDUAL), strict=True)
    with pytest.raises(UnsupportedOpError, match="would not spike"):
        convert(build(RESIDUAL), strict=True, input_coding="direct")


def test_the_manifest_states_the_widest_alphabet() -> None:
    """A binary preset with a signed activation emits -1 too; input encoders state theirs apart."""
    plain = convert(build(RESIDUAL), preset="rate")[0]
    assert plain.manifest.alphabet == "binary"
    leaky = onnx.ModelProto()
    leaky.CopyFrom(build(RESIDUAL))
    first = next(node for node in leaky.graph.node if node.op_type == "Relu")
    first.op_type = "LeakyRelu"
    signed = convert(leaky, preset="rate")[0]
    assert signed.manifest.alphabet == "ternary"
    assert {layer.alphabet for layer in signed.neurons} == {"binary", "ternary", "graded"}
    assert convert(leaky, preset="graded")[0].manifest.alphabet == "graded"

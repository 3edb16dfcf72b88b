"""Fused operators against ONNX Runtime, which made them."""

from __future__ import annotations

import onnx
import pytest
from tests.nets import build

from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.judging.agreement import agree
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.errors import UnsupportedOpError

HEADER = '<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>\n'
CONV = "net (float[N,3,6,6] x) => (float[N,4,4,4] y) <float[4,3,3,3] w, float[4] b> "
WIDE = "net (float[N,5,8] x) => (float[N,5,8] y) <float[8] b, float[8] s, float[8] t> "

TEXTS = {
    "conv_relu": CONV + '{ [op] y = com.microsoft.FusedConv <activation = "Relu"> (x, w, b) }',
    "conv_leaky": CONV + "{ [op] y = com.microsoft.FusedConv "
    '<activation = "LeakyRelu", activation_params = [0.2]> (x, w, b) }',
    "conv_clip": CONV + "{ [op] y = com.microsoft.FusedConv "
    '<activation = "Clip", activation_params = [0.0, 1.5]> (x, w, b) }',
    "conv_sum": CONV.replace("b> ", "b, float[4,1,1] z> ")
    + "{ r = Relu (x) c = Conv (r, w) m = Add (c, z)"
    ' [op] y = com.microsoft.FusedConv <activation = "Relu"> (x, w, b, m) }',
    "gemm": "net (float[N,6] x) => (float[N,3] y) <float[3,6] w, float[3] b>"
    ' { [op] y = com.microsoft.FusedGemm <activation = "Relu", transB = 1> (x, w, b) }',
    "matmul": "net (float[N,5,8] x) => (float[N,5,5] y)"
    " { [op] y = com.microsoft.FusedMatMul <transB = 1, alpha = 0.3535> (x, x) }",
    "matmul_weights": "net (float[N,5,8] x) => (float[N,5,4] y) <float[4,8] w>"
    " { [op] y = com.microsoft.FusedMatMul <transB = 1> (x, w) }",
    "gelu": "net (float[N,8] x) => (float[N,8] y) { [op] y = com.microsoft.Gelu (x) }",
    "bias_gelu": WIDE + "{ [op] y = com.microsoft.BiasGelu (x, b) }",
    "fast_gelu": WIDE + "{ [op] y = com.microsoft.FastGelu (x, b) }",
    "quick_gelu": WIDE + "{ [op] y = com.microsoft.QuickGelu <alpha = 1.5> (x) }",
    "skip_norm": WIDE + "{ r = Relu (x)"
    " [op] y = com.microsoft.SkipLayerNormalization <epsilon = 0.001> (x, r, s, t, b) }",
    "skip_norm_sum": WIDE + "{ r = Relu (x)"
    " [op] h, , , u = com.microsoft.SkipLayerNormalization (x, r, s) y = Add (h, u) }",
    "skip_rms": WIDE + "{ r = Relu (x)"
    " [op] y = com.microsoft.SkipSimplifiedLayerNormalization <epsilon = 0.001> (x, r, s, b) }",
}

SEQUENCE = "net (float[N,5,8] x) => (float[N,5,8] y) "
TEXTS |= {
    "heads": SEQUENCE + "<float[8,8] q, float[8,8] k, float[8,8] v, float[24] b>"
    "{ a = MatMul (x, q) c = MatMul (x, k) d = MatMul (x, v)"
    " [op] y = com.microsoft.MultiHeadAttention <num_heads = 2> (a, c, d, b) }",
    "heads_scaled": SEQUENCE
    + "{ [op] y = com.microsoft.MultiHeadAttention <num_heads = 4, scale = 0.3> (x, x, x) }",
    "attention": SEQUENCE
    + "<float[8,24] w, float[24] b> { [op] y = com.microsoft.Attention <num_heads = 2> (x, w, b) }",
    "attention_sizes": SEQUENCE.replace("8] y", "4] y")
    + "<float[8,20] w, float[20] b> { [op] y = com.microsoft.Attention"
    " <num_heads = 2, qkv_hidden_sizes = [8, 8, 4]> (x, w, b) }",
}
TEXTS |= {
    "heads_causal": SEQUENCE + "{ [op] y = com.microsoft.MultiHeadAttention"
    " <num_heads = 2, unidirectional = 1> (x, x, x) }",
    "heads_biased": SEQUENCE + "<float[1,2,5,5] a> { [op] y = com.microsoft.MultiHeadAttention"
    " <num_heads = 2> (x, x, x, , , a) }",
    "attention_causal": SEQUENCE + "<float[8,24] w, float[24] b> { [op] y = com.microsoft.Attention"
    " <num_heads = 2, unidirectional = 1> (x, w, b) }",
}


@pytest.mark.parametrize("name", TEXTS)
def test_becomes_standard_operators(name: str) -> None:
    source = read_model(build(TEXTS[name], header=HEADER))
    canonical = canonicalise(source)
    assert {node.domain for node in canonical.model.graph.node} <= {"", "onnx2snn.ann"}
    assert any(change.node == "op" for change in canonical.changes)
    before, after = Execution(source.model), Execution(canonical.model)
    feeds = before.feeds(1, 8)
    # FastGelu and tanh-Gelu are computed by different polynomials: the default 1e-4 holds.
    assert agree(after.run(feeds), before.run(feeds)) is None


def test_the_synapse_keeps_the_name() -> None:
    canonical = canonicalise(read_model(build(TEXTS["conv_relu"], header=HEADER)))
    assert next((n.name, n.op_type) for n in canonical.model.graph.node) == ("op", "Conv")


REFUSED = {
    "com.microsoft::MultiHeadAttention": "net (float[N,5,8] x) => (float[N,5,8] y)"
    " <int32[1] m = {5}> { [op] y = com.microsoft.MultiHeadAttention"
    " <num_heads = 2> (x, x, x, , m) }",
    "com.microsoft::Inverse": "net (float[N,5,5] x) => (float[N,5,5] y)"
    " { [op] y = com.microsoft.Inverse (x) }",
}


@pytest.mark.parametrize("op", REFUSED)
def test_the_rest_is_refused_by_name(op: str) -> None:
    with pytest.raises(UnsupportedOpError, match="optimisation level") as caught:
        canonicalise(read_model(build(REFUSED[op], header=HEADER)))
    assert [(f.node, f.op) for f in caught.value.findings] == [("op", op)]


LOOP = """
net (float[N,4] x) => (float[N,4] y) <int64 trips = {3}, bool on = {1}>
{
    [loop] y = Loop (trips, on, x) <body = body (int64 i, bool c, float[N,4] a) =>
        (bool d, float[N,4] b) { d = Identity (c) b = Relu (a) }>
}
"""


def test_loops_are_refused_with_a_remedy() -> None:
    model = build(LOOP)
    onnx.checker.check_model(model)
    with pytest.raises(UnsupportedOpError, match="unrolled") as caught:
        canonicalise(read_model(model))
    assert [(f.node, f.op) for f in caught.value.findings] == [("loop", "Loop")]

"""Operators newer than opset 21 against the ONNX reference evaluator, which knows them itself."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from tests.nets import build

from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.errors import UnsupportedOpError

NETS = {
    "swish": (24, "n (float[N,4] x) => (float[N,4] y) { [op] y = Swish <alpha = 2.0> (x) }"),
    "swiglu": (
        28,
        "n (float[N,4] x, float[N,4] g) => (float[N,4] y) { [op] y = SwiGLU (x, g) }",
    ),
    "rms": (
        23,
        "n (float[N,4] x) => (float[N,4] y) <float[4] s> { [op] y = RMSNormalization (x, s) }",
    ),
    "attention_4d": (
        23,
        "n (float[N,2,5,8] q, float[N,2,5,8] k, float[N,2,5,8] v) => (float[N,2,5,8] y)"
        " { [op] y = Attention (q, k, v) }",
    ),
    "attention_causal": (
        24,
        "n (float[N,5,16] q, float[N,5,16] k, float[N,5,16] v) => (float[N,5,16] y)"
        " { [op] y = Attention <q_num_heads = 2, kv_num_heads = 2, is_causal = 1> (q, k, v) }",
    ),
    "rotary": (
        23,
        "n (float[N,2,5,8] x, int64[N,5] place) => (float[N,2,5,8] y)"
        " <float[9,4] c, float[9,4] s> { [op] y = RotaryEmbedding (x, c, s, place) }",
    ),
}


def model_of(net: str) -> onnx.ModelProto:
    opset, text = NETS[net]
    model = build(text)
    model.opset_import[0].version = opset
    model.ir_version = onnx.IR_VERSION
    return model


@pytest.mark.parametrize("net", NETS)
def test_the_definition_computes_what_the_operator_does(net: str) -> None:
    if onnx.defs.onnx_opset_version() < NETS[net][0]:
        pytest.skip("the installed onnx does not know this opset")
    model = model_of(net)
    source = read_model(model)
    assert source.model.opset_import[0].version == 21
    assert {(f.code, f.node) for f in source.findings} >= {("expanded-operator", "op")}
    canonical = canonicalise(source)
    assert canonical.batch_free
    run = Execution(canonical.model)
    feeds = run.feeds(3, 0)
    expected = ReferenceEvaluator(model).run(None, feeds)[0]
    # A few float32 roundings of sums of at most 16 products.
    np.testing.assert_allclose(run.run(feeds)["y"], expected, rtol=1e-4, atol=1e-5)


def test_attention_without_a_mask_loses_its_guard_against_empty_rows() -> None:
    ops = [
        node.op_type for node in canonicalise(read_model(model_of("attention_4d"))).model.graph.node
    ]
    assert ops == ["Mul", "Mul", "Transpose", "MatMul", "Softmax", "MatMul"]


def test_an_operator_without_definition_is_refused_with_a_remedy() -> None:
    text = "n (float[N,4] x) => (float[N,4] y) <int64 a = {1}> { [op] y = CumProd (x, a) }"
    model = build(text)
    model.opset_import[0].version = 26
    model.ir_version = onnx.IR_VERSION
    with pytest.raises(UnsupportedOpError, match="export the model with opset 21") as caught:
        read_model(model)
    assert [(f.node, f.op) for f in caught.value.findings] == [("op", "CumProd")]

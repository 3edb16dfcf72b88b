from __future__ import annotations

import numpy as np
import pytest
from tests.converter.passes.rewriting import rewrite
from tests.nets import NETS

from onnx2snn.converter.passes.fold_channel_affine import fold_channel_affine
from onnx2snn.converter.passes.split_batch_norm import split_batch_norm

# Folding multiplies weights before the sum instead of the sum: float32 rounds elsewhere.
ROUNDING = 3e-6

SUMS = {
    "conv": ("[N,4,6,6]", "<pads = [1, 1, 1, 1]>", "Conv", "[6,4,3,3]"),
    "grouped": ("[N,4,6,6]", "<group = 2>", "Conv", "[6,2,3,3]"),
    "depthwise": ("[N,4,6,6]", "<group = 4>", "Conv", "[8,1,3,3]"),
    "conv1d": ("[N,4,6]", "", "Conv", "[6,4,3]"),
    "transposed": ("[N,4,6,6]", "<strides = [2, 2]>", "ConvTranspose", "[4,6,3,3]"),
    "transposed_grouped": ("[N,4,6,6]", "<group = 2>", "ConvTranspose", "[4,3,3,3]"),
    "gemm": ("[N,4]", "", "Gemm", "[4,6]"),
    "gemm_transposed": ("[N,4]", "<transB = 1, alpha = 0.5, beta = 2.0>", "Gemm", "[6,4]"),
}


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("kind", SUMS)
def test_scale_and_shift_behind_a_weighted_sum(kind: str, has_bias: bool) -> None:
    data, attributes, op, weight = SUMS[kind]
    channels = 6 if kind != "depthwise" else 8
    rank = data.count(",") + 1
    per_channel = f"[{channels}{',1' * (rank - 2)}]" if rank > 2 else f"[{channels}]"
    out = "[" + ",".join(["N", str(channels), "H", "W"][:rank]) + "]"
    result = rewrite(
        f"""
        net (float{data} x) => (float{out} y)
            <float{weight} w, float[{channels}] b, float{per_channel} a, float{per_channel} c,
             float{per_channel} d_var, float half = {{0.5}}>
        {{
            [sum] h = {op} {attributes} (x, w{", b" if has_bias else ""})
            [mul] m = Mul (a, h)
            [add] p = Add (m, c)
            [div] q = Div (p, d_var)
            [from] y = Sub (half, q)
        }}
        """,
        fold_channel_affine,
    )
    assert result.names == ["sum"]
    assert [change.node for change in result.changes] == ["mul", "add", "div", "from"]
    assert result.again == []
    assert result.difference() < ROUNDING


@pytest.mark.parametrize("kind", ["grouped", "depthwise", "conv1d", "gemm", "gemm_transposed"])
def test_scale_and_shift_in_front_of_a_weighted_sum(kind: str) -> None:
    data, attributes, op, weight = SUMS[kind]
    rank = data.count(",") + 1
    per_channel = f"[4{',1' * (rank - 2)}]"
    out = "[" + ",".join(["N", "C", "H", "W"][:rank]) + "]"
    result = rewrite(
        f"""
        net (float{data} x) => (float{out} y)
            <float{weight} w, float{per_channel} a, float{per_channel} c>
        {{
            [mul] m = Mul (x, a)
            [add] p = Add (c, m)
            [sum] y = {op} {attributes} (p, w)
        }}
        """,
        fold_channel_affine,
    )
    assert result.names == ["sum"]
    assert result.again == []
    assert result.difference() < ROUNDING


def test_a_shift_does_not_cross_the_border_of_a_padded_conv() -> None:
    result = rewrite(NETS["bn_conv"], split_batch_norm, fold_channel_affine)
    assert result.ops == ["Mul", "Add", "Conv", "Relu"]
    assert result.changes == []


def test_a_scale_crosses_zero_padding() -> None:
    result = rewrite(
        """
        net (float[N,2,5,5] x) => (float[N,3,5,5] y) <float[2,1,1] a, float[3,2,3,3] w>
        {
            [mul] m = Mul (x, a)
            [conv] y = Conv <pads = [1, 1, 1, 1]> (m, w)
        }
        """,
        fold_channel_affine,
    )
    assert result.names == ["conv"]
    assert result.difference() < ROUNDING


def test_shared_weights_are_copied() -> None:
    result = rewrite(NETS["shared_weights"], split_batch_norm, fold_channel_affine)
    assert result.ops == ["Conv", "Relu", "Conv", "Relu"]
    assert result.node("conv1").input[1] != result.node("conv2").input[1]
    assert result.node("conv2").input[1] == "w"
    assert result.difference() < ROUNDING


def test_a_weight_keeps_its_name_if_nobody_else_reads_it() -> None:
    result = rewrite(NETS["conv_bn_relu"], split_batch_norm, fold_channel_affine)
    assert result.node("conv").input[1] == "w"


REFUSED = {
    "read_elsewhere": """
        net (float[N,2,5,5] x) => (float[N,3,3,3] y)
            <float[3,2,3,3] w, float[3,1,1] a>
        {
            [conv] h = Conv (x, w)
            [mul] m = Mul (h, a)
            [skip] y = Add (h, m)
        }
    """,
    "is_output": """
        net (float[N,2,5,5] x) => (float[N,3,3,3] h, float[N,3,3,3] y)
            <float[3,2,3,3] w, float[3,1,1] a>
        {
            [conv] h = Conv (x, w)
            [mul] y = Mul (h, a)
        }
    """,
    "spatial": """
        net (float[N,2,5,5] x) => (float[N,3,3,3] y) <float[3,2,3,3] w, float[1,1,3,3] a>
        {
            [conv] h = Conv (x, w)
            [mul] y = Mul (h, a)
        }
    """,
    "wrong_axis": """
        net (float[N,2,5,5] x) => (float[N,3,3,3] y) <float[3,2,3,3] w, float[3] a>
        {
            [conv] h = Conv (x, w)
            [mul] y = Mul (h, a)
        }
    """,
    "divides": """
        net (float[N,4] x) => (float[N,3] y) <float[4,3] w, float[3] a>
        {
            [fc] h = Gemm (x, w)
            [div] y = Div (a, h)
        }
    """,
    "computed": """
        net (float[N,4] x) => (float[N,3] y) <float[4,3] w, float[4,3] v>
        {
            [fc] h = Gemm (x, w)
            [gate] g = Gemm (x, v)
            [mul] y = Mul (h, g)
        }
    """,
    "adds_an_axis": """
        net (float[N,4] x) => (float[1,N,3] y) <float[4,3] w, float[1,1,3] a>
        {
            [fc] h = Gemm (x, w)
            [mul] y = Mul (h, a)
        }
    """,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(text: str) -> None:
    result = rewrite(text, fold_channel_affine)
    assert result.changes == []
    assert result.difference() == 0.0  # untouched


def test_a_matmul_takes_a_scale_but_no_shift() -> None:
    result = rewrite(
        """
        net (float[N,2,4] x) => (float[N,2,3] y) <float[4,3] w, float[3] a, float[3] c>
        {
            [fc] h = MatMul (x, w)
            [mul] m = Mul (h, a)
            [add] y = Add (m, c)
        }
        """,
        fold_channel_affine,
    )
    assert result.names == ["fc", "add"]
    assert result.difference() < ROUNDING


def test_a_zero_scale_is_a_scale() -> None:
    result = rewrite(
        """
        net (float[N,4] x) => (float[N,3] y) <float[4,3] w, float[3] a = {1, 0, -2}>
        {
            [fc] h = Gemm (x, w)
            [mul] y = Mul (h, a)
        }
        """,
        fold_channel_affine,
    )
    assert result.names == ["fc"]
    np.testing.assert_array_equal(result.operand("fc", 1)[:, 1], 0.0)

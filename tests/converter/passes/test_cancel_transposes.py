from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite
from tests.nets import NETS

from onnx2snn.converter.passes.cancel_transposes import cancel_transposes


def test_only_the_one_at_the_input_is_left() -> None:
    result = rewrite(NETS["nhwc"], cancel_transposes)
    assert result.ops.count("Transpose") == 1
    assert result.names[0] == "to_nchw1"
    assert {"relu1", "relu2"} <= set(result.names)
    assert result.again == []
    # The mean sums in another order.
    assert result.difference() < 1e-6


BETWEEN = {
    "relu": "b = Relu (a)",
    "clip": "b = Clip (a, zero, one)",
    "scalar": "b = Mul (one, a)",
    "per_channel": "b = Add (a, c)",
    "full": "b = Sub (a, f)",
    "swish": "s = Sigmoid (a) \n b = Mul (a, s)",
    "concat": "r = Relu (a) \n b0 = Concat <axis = 3> (a, r) \n b = Slice (b0, i0, i3, i3)",
    "pad": "b0 = Pad (a, pads) \n b = Relu (b0)",
    "pad_axes": "b = Pad (a, two, zero, i1)",
    "mean": "b0 = ReduceMean (a, i1) \n b = Add (a, b0)",
}

TEXT = """
net (float[N,3,4,5] x) => (float[N,C,H,W] y)
    <float zero = {0}, float one = {2}, float[3] c, float[4,5,3] f, int64[1] i0 = {0},
     int64[1] i1 = {1}, int64[1] i3 = {3}, int64[2] two = {1, 2},
     int64[8] pads = {0, 1, 2, 0, 0, 3, 4, 0}>
{
    [there] a = Transpose <perm = [0, 2, 3, 1]> (x)
    NODE
    [back] y = Transpose <perm = [0, 3, 1, 2]> (b)
}
"""


@pytest.mark.parametrize("node", BETWEEN.values(), ids=BETWEEN.keys())
def test_passes_through_layout_blind_operators(node: str) -> None:
    result = rewrite(TEXT.replace("NODE", node), cancel_transposes)
    if "Slice" in node:
        assert result.ops == ["Relu", "Concat", "Transpose", "Slice", "Transpose"]
    else:
        assert "Transpose" not in result.ops
    assert result.again == []
    assert result.difference() < 1e-6  # the mean sums in another order; all else is exact


def test_a_mean_without_kept_axes_absorbs_the_transpose() -> None:
    result = rewrite(
        """
        net (float[N,3,4,5] x) => (float[N,3] y) <int64[2] axes = {1, 2}>
        {
            [there] a = Transpose <perm = [0, 2, 3, 1]> (x)
            [mean] y = ReduceMean <keepdims = 0> (a, axes)
        }
        """,
        cancel_transposes,
    )
    assert result.ops == ["ReduceMean"]
    assert sorted(result.operand("mean", 1)) == [2, 3]
    assert result.difference() < 1e-6  # sums in another order


@pytest.mark.parametrize("shaping", ["Flatten (a)", "Reshape (a, shape)"])
def test_a_transpose_of_single_pixels_is_ignored_by_a_reshape(shaping: str) -> None:
    result = rewrite(
        f"""
        net (float[N,3,1,1] x) => (float[N,3] y) <int64[2] shape = {{0, 3}}>
        {{
            [there] a = Transpose <perm = [0, 2, 3, 1]> (x)
            [flat] y = {shaping}
        }}
        """,
        cancel_transposes,
    )
    assert result.names == ["flat"]
    assert result.difference() == 0.0  # the same numbers in the same order


REFUSED = {
    "layout_matters": """
        net (float[N,3,4,4] x) => (float[N,48] y)
        {
            [there] a = Transpose <perm = [0, 2, 3, 1]> (x)
            [flat] y = Flatten (a)
        }
    """,
    "other_layout": """
        net (float[N,4,4,4] x) => (float[N,4,4,4] y)
        {
            [there] a = Transpose <perm = [0, 2, 3, 1]> (x)
            [mix] y = Add (a, x)
        }
    """,
    "softmax": """
        net (float[N,4,4,4] x) => (float[N,4,4,4] y)
        {
            [there] a = Transpose <perm = [0, 2, 3, 1]> (x)
            [softmax] y = Softmax (a)
        }
    """,
    "read_where_layout_matters": """
        net (float[N,4,4,4] x) => (float[N,4,4,4] y, float[N,64] z)
        {
            [there] a = Transpose <perm = [0, 2, 3, 1]> (x)
            [relu] y = Relu (a)
            [flat] z = Flatten (a)
        }
    """,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(text: str) -> None:
    result = rewrite(text, cancel_transposes)
    assert result.changes == []
    assert result.difference() == 0.0  # untouched


def test_two_in_a_row_are_one() -> None:
    result = rewrite(
        """
        net (float[N,3,4,5] x) => (float[5,4,N,3] y)
        {
            [one] a = Transpose <perm = [0, 2, 3, 1]> (x)
            [two] y = Transpose <perm = [2, 1, 0, 3]> (a)
        }
        """,
        cancel_transposes,
    )
    assert result.names == ["two"]
    assert result.attributes("two")["perm"] == [3, 2, 0, 1]
    assert result.difference() == 0.0  # only moves

from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.remove_no_ops import remove_no_ops

NO_OPS = {
    "identity": "b = Identity (a)",
    "dropout": "b = Dropout (a)",
    "cast": "b = Cast <to = 1> (a)",
    "cast_like": "b = CastLike (a, x)",
    "transpose": "b = Transpose <perm = [0, 1, 2]> (a)",
    "reshape": "b = Reshape (a, same)",
    "expand": "b = Expand (a, ones)",
    "slice": "b = Slice (a, zeros, far)",
    "pad": "b = Pad (a, nothing)",
    "concat": "b = Concat <axis = 1> (a)",
    "add": "b = Add (a, zero)",
    "mul": "b = Mul (one, a)",
    "sub": "b = Sub (a, zero)",
    "div": "b = Div (a, one)",
    "squeeze_pair": "u = Unsqueeze (a, ones1) \n b = Squeeze (u, ones1)",
    "reshape_pair": "u = Flatten (a) \n b = Reshape (u, same)",
}

TEXT = """
net (float[N,3,4] x) => (float[N,3,4] y)
    <float zero = {0}, float one = {1}, int64[3] same = {0, 3, 4}, int64[3] ones = {1, 1, 1},
     int64[1] ones1 = {1}, int64[3] zeros = {0, 0, 0}, int64[6] nothing = {0, 0, 0, 0, 0, 0},
     int64[3] far = {9223372036854775807, 9223372036854775807, 9223372036854775807}>
{
    [first] a = Relu (x)
    NODE
    [last] y = Neg (b)
}
"""


@pytest.mark.parametrize("node", NO_OPS.values(), ids=NO_OPS.keys())
def test_a_node_without_effect_goes(node: str) -> None:
    result = rewrite(TEXT.replace("NODE", node), remove_no_ops)
    assert result.ops == ["Relu", "Neg"]
    assert result.changes
    assert result.again == []
    assert result.difference() == 0.0  # nothing that computes is gone


KEPT = {
    "cast": "i = Cast <to = 7> (a) \n b = Cast <to = 1> (i)",
    "transpose": "b0 = Transpose <perm = [0, 2, 1]> (a) \n b = Reshape (b0, same)",
    "slice": "s = Slice (a, zeros, far, , steps) \n b = Add (s, a)",
    "pad": "p = Pad (a, crop) \n b = Relu (p)",
    "add": "b = Add (a, one)",
    "sub_from": "b = Sub (zero, a)",
    "div_from": "b = Div (one, a)",
    "broadcast": "b0 = Add (a, big) \n b = ReduceMean <keepdims = 0> (b0, ones0)",
}


@pytest.mark.parametrize("node", KEPT.values(), ids=KEPT.keys())
def test_a_node_with_an_effect_stays(node: str) -> None:
    text = TEXT.replace("NODE", node).replace(
        "<float zero",
        "<int64[3] steps = {1, -1, 1}, int64[6] crop = {0, -1, 0, 0, 1, 0}, int64[1] ones0 = {0},"
        " float[1,1,1,1] big = {0}, float zero",
    )
    if node == KEPT["slice"]:
        text = text.replace("zeros = {0, 0, 0}", "zeros = {0, 2, 0}").replace(
            "far = {9223372036854775807, 9223372036854775807,",
            "far = {9223372036854775807, -9223372036854775807,",
        )
    assert rewrite(text, remove_no_ops).changes == []


def test_an_output_keeps_its_name() -> None:
    result = rewrite(
        """
        net (float[N,3] x) => (float[N,3] y)
        {
            [relu] r = Relu (x)
            [last] y = Identity (r)
        }
        """,
        remove_no_ops,
    )
    assert result.ops == ["Relu"]
    assert [output.name for output in result.after.graph.output] == ["y"]
    assert result.difference() == 0.0  # nothing that computes is gone


def test_an_input_that_is_an_output_keeps_its_identity() -> None:
    result = rewrite(
        """
        net (float[N,3] x) => (float[N,3] y, float[N,3] z)
        {
            [copy] y = Identity (x)
            [relu] z = Relu (x)
        }
        """,
        remove_no_ops,
    )
    assert result.changes == []


def test_dropout_in_training_mode_stays() -> None:
    result = rewrite(
        """
        net (float[N,3] x) => (float[N,3] y) <float ratio = {0.5}, bool on = {1}>
        { [drop] y = Dropout (x, ratio, on) }
        """,
        remove_no_ops,
    )
    assert result.ops == ["Dropout"]


def test_dead_nodes_go() -> None:
    result = rewrite(
        """
        net (float[N,3] x) => (float[N,3] y)
        {
            [alive] y = Relu (x)
            [dead1] u = Neg (x)
            [dead2] v = Exp (u)
        }
        """,
        remove_no_ops,
    )
    assert result.names == ["alive"]
    assert {change.node for change in result.changes} == {"dead1", "dead2"}
    assert result.again == []

from __future__ import annotations

import numpy as np
from tests.converter.passes.rewriting import rewrite
from tests.nets import NETS

from onnx2snn.converter.passes.fold_constants import fold_constants
from onnx2snn.converter.passes.fold_shapes import fold_shapes


def test_batch_following_reshape_gets_a_zero() -> None:
    result = rewrite(NETS["torchscript_shortcut"], fold_constants, fold_shapes)
    assert "Shape" not in result.ops
    np.testing.assert_array_equal(result.operand("flat", 1), [0, 8])
    assert result.again == []
    assert result.difference() == 0.0  # only shape arithmetic is gone


def test_shapes_of_fixed_axes_become_constants() -> None:
    result = rewrite(
        """
        net (float[N,3,4,4] x) => (float[N,3,8,8] y)
            <float empty, int64[1] two = {2}, float[0] roi = {}>
        {
            [shape] s = Shape <start = 2> (x)
            [double] d = Mul (s, two)
            [head] h = Shape <start = 0, end = 2> (x)
            [sizes] t = Concat <axis = 0> (h, d)
            [up] y = Resize (x, roi, , t)
        }
        """.replace("float empty, ", ""),
        fold_shapes,
    )
    assert result.ops == ["Resize"]
    assert result.attributes("up")["axes"] == [2, 3]
    np.testing.assert_array_equal(result.operand("up", 3), [8, 8])
    assert result.difference() == 0.0  # the same Resize
    assert result.again == []


def test_minus_one_in_front_becomes_zero_where_the_batch_stays_in_front() -> None:
    result = rewrite(
        """
        net (float[N,3,4] x) => (float[N,12] y) <int64[2] shape = {-1, 12}>
        { [flat] y = Reshape (x, shape) }
        """,
        fold_shapes,
    )
    np.testing.assert_array_equal(result.operand("flat", 1), [0, 12])
    assert result.again == []


def test_batch_merged_with_another_axis_keeps_minus_one() -> None:
    result = rewrite(
        """
        net (float[N,3,4] x) => (float[M,4] y) <int64[2] shape = {-1, 4}>
        { [flat] y = Reshape (x, shape) }
        """,
        fold_shapes,
    )
    assert result.changes == []


def test_values_that_depend_on_data_are_not_folded() -> None:
    result = rewrite(
        """
        net (float[N,4] x) => (float[N,4] y) <int64[1] four = {4}>
        {
            [top] k = ReduceMax <keepdims = 0> (x)
            [count] i = Cast <to = 7> (k)
            [none] z = Sub (i, i)
            [zeros] f = Cast <to = 1> (z)
            [use] y = Add (x, f)
        }
        """,
        fold_shapes,
    )
    assert result.changes == []


def test_expand_to_the_batch_it_has_already() -> None:
    result = rewrite(
        """
        net (float[N,1,4] x) => (float[N,3,4] y) <int64[2] rest = {3, 4}>
        {
            [batch] n = Shape <end = 1> (x)
            [target] t = Concat <axis = 0> (n, rest)
            [grow] y = Expand (x, t)
        }
        """,
        fold_shapes,
    )
    assert result.ops == ["Expand"]
    np.testing.assert_array_equal(result.operand("grow", 1), [1, 3, 4])
    assert result.difference() == 0.0  # copies


def test_expand_of_a_constant_to_the_batch_stays() -> None:
    result = rewrite(
        """
        net (float[N,3,4] x) => (float[N,4,4] y) <float[1,1,4] token, int64[2] rest = {1, 4}>
        {
            [batch] n = Shape <end = 1> (x)
            [target] t = Concat <axis = 0> (n, rest)
            [grow] e = Expand (token, t)
            [join] y = Concat <axis = 1> (e, x)
        }
        """,
        fold_shapes,
    )
    assert result.changes == []
    assert "Expand" in result.ops

from __future__ import annotations

import numpy as np
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.fold_constants import fold_constants


def test_constant_arithmetic_becomes_one_constant() -> None:
    result = rewrite(
        """
        net (float[N,4] x) => (float[N,4] y) <float[4] w>
        {
            [two] c = Constant <value = float {2.0}> ()
            [scaled] d = Mul (w, c)
            [use] y = Add (x, d)
        }
        """,
        fold_constants,
    )
    assert result.ops == ["Add"]
    assert {change.node for change in result.changes} == {"two", "scaled"}
    assert result.again == []
    assert result.difference() == 0.0  # the same float32 operations, only earlier


def test_value_attributes_of_constant_nodes_are_read() -> None:
    result = rewrite(
        """
        net (float[N,4] x) => (float[M,2] y)
        {
            [shape] s = Constant <value_ints = [-1, 2]> ()
            [use] y = Reshape (x, s)
        }
        """,
        fold_constants,
    )
    assert result.ops == ["Reshape"]
    np.testing.assert_array_equal(result.operand("use", 1), [-1, 2])


def test_a_small_file_cannot_ask_for_terabytes() -> None:
    result = rewrite(
        """
        net (float[N,4] x) => (float[N,4] y)
            <float[1] one, int64[2] shape = {1000000, 1000000}, int64[2] at = {0, 0}>
        {
            [bomb] e = Expand (one, shape)
            [pick] g = GatherND (e, at)
            [use] y = Add (x, g)
        }
        """,
        fold_constants,
    )
    assert result.changes == []
    assert result.ops == ["Expand", "GatherND", "Add"]


def test_a_constant_graph_output_keeps_its_node() -> None:
    result = rewrite(
        """
        net (float[N,4] x) => (float[N,4] y, float[4] c) <float[4] w>
        {
            [const] c = Neg (w)
            [use] y = Add (x, w)
        }
        """,
        fold_constants,
    )
    assert result.changes == []
    assert "const" in result.names

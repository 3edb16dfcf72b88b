from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.merge_duplicates import merge_duplicates

TEXT = """
net (float[N,4] x) => (float[N,4] y)
    <float two = {2}, float also_two = {2}, float three = {3}, float[4,4] w>
{
    NODES
    [end] y = Sub (a, b)
}
"""


def test_equal_nodes_are_one() -> None:
    nodes = "[p] p = Mul (x, two) \n [q] b = Mul (x, also_two) \n [r] a = Exp (p)"
    result = rewrite(TEXT.replace("NODES", nodes), merge_duplicates)
    assert result.names == ["p", "r", "end"]
    assert [change.node for change in result.changes] == ["q"]
    assert result.again == []
    assert result.difference() == 0.0  # the same operations, once


REFUSED = {
    "other_constant": "[p] a = Mul (x, two) \n [q] b = Mul (x, three)",
    "other_attribute": "[t] t = Neg (x) \n [p] a = Add (x, t) \n [q] b = Sub (x, t)",
    "activations": "[p] a = Relu (x) \n [q] b = Relu (x)",
    "layers": "[p] a = MatMul (x, w) \n [q] b = MatMul (x, w)",
}


@pytest.mark.parametrize("nodes", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(nodes: str) -> None:
    assert rewrite(TEXT.replace("NODES", nodes), merge_duplicates).changes == []

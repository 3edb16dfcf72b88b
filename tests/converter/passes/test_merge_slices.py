from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.merge_slices import merge_slices

TEXT = """
net (float[N,3,8,8] x) => (float[N,C,H,W] y)
    <int64[1] zero = {0}, int64[1] far = {9223372036854775807}, int64[1] a = {2}, int64[1] b = {-1},
     int64[1] two = {2}, int64[1] five = {5}, int64[4] starts = {0, 0, 1, 2}, int64[4] ends = {9,
     3, 7, 8}>
{ NODES }
"""


def test_different_axes() -> None:
    nodes = "[s] s = Slice (x, zero, far, a, two) \n [t] y = Slice (s, two, five, b)"
    result = rewrite(TEXT.replace("NODES", nodes), merge_slices)
    assert result.names == ["t"]
    assert [change.node for change in result.changes] == ["s"]
    assert result.again == []
    assert result.difference() == 0.0  # only moves


REFUSED = {
    "same_axis": "[s] s = Slice (x, zero, far, a, two) \n [t] y = Slice (s, zero, two, a)",
    "all_axes": "[s] s = Slice (x, zero, far, a, two) \n [t] y = Slice (s, starts, ends)",
    "read_twice": "[s] s = Slice (x, zero, far, a, two) \n [r] r = Relu (s) \n"
    "[t] t = Slice (s, two, five, b) \n [u] y = Concat <axis = 3> (r, t)",
}


@pytest.mark.parametrize("nodes", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(nodes: str) -> None:
    assert rewrite(TEXT.replace("NODES", nodes), merge_slices).changes == []

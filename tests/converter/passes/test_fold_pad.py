from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.fold_pad import fold_pad

TEXT = """
net (float[N,2,6,6] x) => (float[N,C,H,W] y)
    <float[3,2,3,3] w, int64[8] pads = {0, 0, 1, 0, 0, 0, 0, 2}, int64[8] channel = {0, 1, 0, 0,
     0, 0, 0, 0},
     int64[8] crop = {0, 0, -1, 0, 0, 0, 0, 0}, int64[4] some = {1, 2, 0, 1},
     int64[2] axes = {-1, 2},
     float zero = {0}, float one = {1}, float[3,3,3,3] w3>
{ NODES }
"""

FOLDED = {
    "conv": ("[p] p = Pad (x, pads) \n [f] y = Conv (p, w)", [1, 0, 0, 2]),
    "added": (
        "[p] p = Pad (x, pads, zero) \n [f] y = Conv <pads = [1, 1, 1, 1]> (p, w)",
        [2, 1, 1, 3],
    ),
    "axes": ("[p] p = Pad (x, some, zero, axes) \n [f] y = Conv (p, w)", [2, 1, 1, 0]),
    "mean": (
        "[p] p = Pad (x, pads) \n [f] y = AveragePool <kernel_shape = [3, 3]> (p)",
        [1, 0, 0, 2],
    ),
}


@pytest.mark.parametrize("folded", FOLDED.values(), ids=FOLDED.keys())
def test_zero_padding_is_taken_over(folded: tuple[str, list[int]]) -> None:
    nodes, pads = folded
    result = rewrite(TEXT.replace("NODES", nodes), fold_pad)
    assert result.names == ["f"]
    assert result.attributes("f")["pads"] == pads
    assert [change.node for change in result.changes] == ["p"]
    assert result.again == []
    # Sums with zeros in them may be added up in another order.
    assert result.difference() < 1e-6


REFUSED = {
    "ones": "[p] p = Pad (x, pads, one) \n [f] y = Conv (p, w)",
    "reflect": '[p] p = Pad <mode = "reflect"> (x, pads) \n [f] y = Conv (p, w)',
    "channels": "[p] p = Pad (x, channel) \n [f] y = Conv (p, w3)",
    "negative": "[p] p = Pad (x, crop) \n [f] y = Conv (p, w)",
    "max": "[p] p = Pad (x, pads) \n [f] y = MaxPool <kernel_shape = [3, 3]> (p)",
    "ceil": "[p] p = Pad (x, pads)"
    "\n [f] y = AveragePool <kernel_shape = [3, 3], ceil_mode = 1> (p)",
    "auto": '[p] p = Pad (x, pads) \n [f] y = Conv <auto_pad = "SAME_UPPER"> (p, w)',
    "read_twice": "[p] p = Pad (x, pads) \n [f] g = Conv (p, w) \n [q] y = Relu (p)",
}


@pytest.mark.parametrize("nodes", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(nodes: str) -> None:
    assert rewrite(TEXT.replace("NODES", nodes), fold_pad).changes == []

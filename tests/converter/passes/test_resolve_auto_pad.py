from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.resolve_auto_pad import resolve_auto_pad

TEXT = """
net (float[N,2,SIZE,SIZE] x) => (float[N,C,H,W] y) <float[3,2,K,K] w>
{ [f] y = NODE }
"""
CONV = 'Conv <auto_pad = "MODE", strides = [S, S]> (x, w)'
MAX = 'MaxPool <auto_pad = "MODE", strides = [S, S], kernel_shape = [K, K]> (x)'
MEAN = 'AveragePool <auto_pad = "MODE", strides = [S, S], kernel_shape = [K, K]> (x)'


@pytest.mark.parametrize("node", [CONV, MAX, MEAN], ids=["conv", "max", "mean"])
@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize(("size", "kernel", "stride"), [(6, 3, 2), (7, 2, 1), (7, 3, 3), (5, 4, 2)])
def test_means_the_same(node: str, mode: str, size: int, kernel: int, stride: int) -> None:
    text = TEXT.replace("NODE", node).replace("MODE", mode).replace("SIZE", str(size))
    result = rewrite(
        text.replace("K", str(kernel)).replace("S,", f"{stride},").replace(" S]", f" {stride}]"),
        resolve_auto_pad,
    )
    assert "auto_pad" not in result.attributes("f")
    assert [change.node for change in result.changes] == ["f"]
    assert result.again == []
    assert result.difference() == 0.0  # the same sums


def test_dilation() -> None:
    node = 'Conv <auto_pad = "SAME_UPPER", dilations = [2, 2]> (x, w)'
    text = TEXT.replace("NODE", node).replace("SIZE", "7").replace("K", "3")
    result = rewrite(text, resolve_auto_pad)
    # ONNX Runtime cannot run the two together, so the operator's definition is the judge.
    assert result.attributes("f")["pads"] == [2, 2, 2, 2]


def test_explicit_pads_stay() -> None:
    text = TEXT.replace("NODE", "Conv <pads = [1, 1, 1, 1]> (x, w)")
    result = rewrite(text.replace("SIZE", "5").replace("K", "3"), resolve_auto_pad)
    assert result.changes == []

from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.recognise_global_average_pool import recognise_global_average_pool

TEXT = """
net (float[N,3,4,5] x) => (float[N,C,H,W] y) <int64[2] axes = {AXES}>
{ [mean] y = ReduceMean <keepdims = 1> (x, axes) }
"""


@pytest.mark.parametrize("axes", ["2, 3", "-1, -2"])
def test_kept_axes(axes: str) -> None:
    result = rewrite(TEXT.replace("AXES", axes), recognise_global_average_pool)
    assert result.ops == ["GlobalAveragePool"]
    assert result.names == ["mean"]
    assert result.again == []
    assert result.difference() < 1e-6  # sums in another order


def test_dropped_axes() -> None:
    text = TEXT.replace("AXES", "2, 3").replace("keepdims = 1", "keepdims = 0")
    result = rewrite(text.replace("[N,C,H,W]", "[N,C]"), recognise_global_average_pool)
    assert result.ops == ["GlobalAveragePool", "Flatten"]
    assert result.difference() < 1e-6  # sums in another order


@pytest.mark.parametrize("axes", ["1, 2", "1, 3"])
def test_other_axes_stay(axes: str) -> None:
    assert rewrite(TEXT.replace("AXES", axes), recognise_global_average_pool).changes == []

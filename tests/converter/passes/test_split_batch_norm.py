from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.split_batch_norm import split_batch_norm
from onnx2snn.ir.errors import UnsupportedOpError

TEXT = """
net (float[N,4,5,5] x) => (float[N,4,5,5] y) <float[4] s, float[4] b, float[4] m, float[4] var>
{ [bn] y = BatchNormalization <epsilon = 0.01> (x, s, b, m, var) }
"""


def test_becomes_scale_and_shift() -> None:
    result = rewrite(TEXT, split_batch_norm)
    assert result.ops == ["Mul", "Add"]
    assert [change.node for change in result.changes] == ["bn"]
    assert result.again == []
    # One rounding of a float32 scale more than the original.
    assert result.difference() < 1e-6


def test_rank_two() -> None:
    result = rewrite(TEXT.replace("[N,4,5,5]", "[N,4]"), split_batch_norm)
    assert result.ops == ["Mul", "Add"]
    assert result.difference() < 1e-6


def test_training_mode_is_refused_by_name() -> None:
    text = TEXT.replace("epsilon = 0.01", "training_mode = 1").replace(
        "y = Batch", "y, rm, rv = Batch"
    )
    with pytest.raises(UnsupportedOpError, match=r"model\.eval") as caught:
        rewrite(text, split_batch_norm)
    assert [finding.node for finding in caught.value.findings] == ["bn"]


def test_computed_statistics_stay() -> None:
    text = TEXT.replace("net (", "net (float[4] s, ").replace("<float[4] s, ", "<")
    assert rewrite(text, split_batch_norm).changes == []

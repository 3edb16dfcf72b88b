"""Comparison of outputs."""

from __future__ import annotations

import numpy as np
import pytest

from onnx2snn.ir.errors import SimulationError
from onnx2snn.runtime.outcomes.scores import compare, top1

LOGITS = np.array([[1.0, 3.0], [2.0, 0.0], [0.0, 1.0]], np.float32)


def test_top1_of_logits_goes_before_labels() -> None:
    labels = np.array([0, 0, 0], np.int64)
    np.testing.assert_array_equal(top1({"label": labels, "logits": LOGITS}), [1, 0, 1])
    np.testing.assert_array_equal(top1({"label": labels}), labels)


@pytest.mark.parametrize(
    "output", [np.zeros((3, 1)), np.zeros((3, 2, 4, 4)), np.zeros((3, 5), np.int64)]
)
def test_some_outputs_do_not_classify(output: np.ndarray) -> None:
    assert top1({"y": output}) is None
    score = compare({"y": output}, {"y": output}, np.zeros(3, int))
    assert score.accuracy is None
    assert score.agreement is None
    assert score.relative_error == 0


def test_equal_outputs() -> None:
    score = compare({"y": LOGITS}, {"y": LOGITS}, np.array([1, 0, 0]))
    assert score.accuracy == pytest.approx(2 / 3)
    assert score.agreement == 1
    assert score.relative_error == 0
    assert score.mean_cosine == pytest.approx(1)


def test_chunks_add_up() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=(2, 10, 4))
    labels = rng.integers(0, 4, 10)
    whole = compare({"y": ours}, {"y": theirs}, labels)
    parts = [compare({"y": ours[c]}, {"y": theirs[c]}, labels[c]) for c in (slice(4), slice(4, 10))]
    total = parts[0] + parts[1]
    assert (total.correct, total.agreeing) == (whole.correct, whole.agreeing)
    assert total.relative_error == pytest.approx(whole.relative_error)
    assert total.mean_cosine == pytest.approx(whole.mean_cosine)
    expected = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert total.relative_error == pytest.approx(expected)


def test_silent_references() -> None:
    zero = {"y": np.zeros((2, 3))}
    assert compare(zero, zero).mean_cosine == 1
    assert compare({"y": np.ones((2, 3))}, zero).mean_cosine == 0
    assert compare({"y": np.ones((2, 3))}, zero).relative_error == pytest.approx(np.sqrt(6))


def test_outputs_that_cannot_be_compared_are_left_out() -> None:
    boxes, words = np.zeros((5, 4)), np.array(["cat", "dog", "cat"])
    ours = {"boxes": boxes, "word": words, "logits": LOGITS}
    theirs = {"boxes": boxes[:2], "word": words, "logits": LOGITS}
    assert compare(ours, theirs).agreement == 1
    with pytest.raises(SimulationError, match="no output that could be compared"):
        compare({"word": words}, {"word": words})

"""How far two sets of outputs may be apart, and for which reason."""

from __future__ import annotations

import numpy as np
import pytest

from onnx2snn.converter.judging.agreement import agree

WANTED = np.linspace(-1.0, 1.0, 101)


def moved(by: float, dtype: type = np.float32) -> tuple[dict[str, object], dict[str, object]]:
    return {"y": (WANTED + by).astype(dtype)}, {"y": WANTED.astype(dtype)}


@pytest.mark.parametrize(
    ("by", "dtype", "reasons", "same"),
    [
        (5e-5, np.float32, {}, True),
        (5e-4, np.float32, {}, False),
        (1e-3, np.float16, {}, True),  # stored with 11 bits
        (1e-2, np.float16, {}, False),
        (2e-2, np.float32, {"half": True}, True),  # computed with 11 bits, returned as float32
        (5e-2, np.float32, {"half": True}, False),
        (1e-2, np.float32, {"stepped": True}, True),
        (3e-2, np.float32, {"stepped": True}, False),
        (3e-2, np.float32, {"stepped": True, "quantised": True}, True),
        (1e-1, np.float32, {"stepped": True, "quantised": True}, False),
    ],
)
def test_tolerances(by: float, dtype: type, reasons: dict[str, bool], same: bool) -> None:
    assert (agree(*moved(by, dtype), **reasons) is None) == same


@pytest.mark.parametrize(("by", "same"), [(1, True), (2, False)])
def test_quantised_outputs_may_be_one_step_apart(by: int, same: bool) -> None:
    wanted = np.array([3, 200], np.uint8)
    assert (agree({"y": wanted + np.uint8(by)}, {"y": wanted}) is None) == same


def test_labels_must_be_equal_unless_the_scores_agree() -> None:
    scores, label = np.array([0.5, 0.5], np.float32), np.array([0], np.int64)
    assert agree({"l": label + 1}, {"l": label}) is not None
    assert agree({"l": label + 1, "s": scores}, {"l": label, "s": scores}) is None

"""Calibration samples: what fits the model, and what is told about what does not."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest

from onnx2snn.converter.calibration.samples import given_samples, synthetic_samples
from onnx2snn.ir.errors import DataError

HEADER = '<ir_version: 10, opset_import: ["" : 21]>\n'
TWO_INPUTS = onnx.parser.parse_model(
    HEADER + "two (float[N,3] a, int64[N,2] b) => (float[N,3] y) { y = Relu (a) }"
)
FIXED = onnx.parser.parse_model(HEADER + "fixed (float[4,3] a) => (float[4,3] y) { y = Relu (a) }")
SHARED = onnx.parser.parse_model(
    HEADER + "shared (float[N,3] a, float[5,3] table, float t) => (float[N,3] y) { y = Relu (a) }"
)
A, B = np.ones((6, 3), np.float32), np.zeros((6, 2), np.int64)


def test_samples_by_name() -> None:
    samples = given_samples(TWO_INPUTS, {"a": A, "b": B, "labels": np.arange(6)})
    assert list(samples.feeds) == ["a", "b"]
    assert len(samples) == samples.source.samples == 6
    assert [len(batch["b"]) for batch in samples.batches(4)] == [4, 2]
    assert samples.first(2)["a"].shape == (2, 3)


def test_a_lone_array_goes_to_a_lone_input() -> None:
    assert given_samples(FIXED, np.ones((8, 3))).feeds["a"].dtype == np.float32
    with pytest.raises(DataError, match="2 inputs") as told:
        given_samples(TWO_INPUTS, A)
    assert "a, b" in told.value.remedy


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"a": A}, ["'b' is missing"]),
        ({}, ["'a' is missing", "'b' is missing"]),
        ({"a": A[:, :2], "b": B}, ["'a' has shape [6, 2], needs [N, 3]"]),
        ({"a": A[0], "b": B}, ["'a' has shape [3]"]),
        ({"a": A[:0], "b": B}, ["'a' has no samples"]),
        ({"a": np.full_like(A, np.nan), "b": B}, ["'a' contains NaN"]),
        ({"a": np.full_like(A, np.inf), "b": B}, ["'a' contains NaN or infinity"]),
        ({"a": A.astype(str), "b": B}, ["'a' has data type"]),
    ],
)
def test_misfits_are_all_told(data: dict[str, np.ndarray], told: list[str]) -> None:
    with pytest.raises(DataError) as raised:
        given_samples(TWO_INPUTS, data)
    messages = [finding.message for finding in raised.value.findings]
    assert len(messages) == len(told)
    assert all(words in message for words, message in zip(told, messages, strict=True))


def test_the_digest_depends_on_the_values_only() -> None:
    same = given_samples(TWO_INPUTS, {"b": B, "a": A.copy()})
    other = given_samples(TWO_INPUTS, {"a": A * 2, "b": B})
    digest = given_samples(TWO_INPUTS, {"a": A, "b": B}).source.sha256
    assert same.source.sha256 == digest != other.source.sha256


def test_a_fixed_batch_is_run_block_by_block() -> None:
    rows = np.arange(30, dtype=np.float32).reshape(10, 3)
    samples = given_samples(FIXED, rows)
    assert len(samples) == 2  # blocks of four; the last two rows fill none
    np.testing.assert_array_equal(samples.first(64)["a"], rows[:4])
    np.testing.assert_array_equal([b["a"] for b in samples.batches(64)], [rows[:4], rows[4:8]])
    with pytest.raises(DataError, match="needs 4 at a time"):
        given_samples(FIXED, rows[:3])


def test_inputs_without_a_batch_axis_are_the_same_for_all() -> None:
    table, t = np.ones((5, 3), np.float32), np.float32(2)
    samples = given_samples(SHARED, {"a": A, "table": table, "t": np.asarray(t)})
    assert len(samples) == 6
    for batch in samples.batches(4):
        assert batch["table"].shape == (5, 3)
        assert batch["t"].shape == ()


def test_synthetic_samples_are_seeded_and_standardised() -> None:
    model = onnx.parser.parse_model(
        HEADER + "images (float[N,3,16,16] a) => (float[N,3,16,16] y) { y = Relu (a) }"
    )
    samples = synthetic_samples(model, 3)
    values = np.asarray(samples.feeds["a"])
    assert values.shape == (64, 3, 16, 16)
    assert samples.source.kind == "synthetic"
    np.testing.assert_array_equal(values, synthetic_samples(model, 3).feeds["a"])
    assert not np.array_equal(values, synthetic_samples(model, 4).feeds["a"])
    # 64 x 768 values: the spread of noise of unit variance is known to a few per cent.
    assert values.std() == pytest.approx(1.0, abs=0.05)
    steps = np.abs(np.diff(values, axis=-1)).mean(axis=(1, 2, 3))
    assert steps[::2].max() < steps[1::2].min()  # every second sample is smooth, as images are


def test_synthetic_indices_stay_inside_the_table() -> None:
    model = onnx.parser.parse_model(
        HEADER
        + """tokens (int64[N,7] ids) => (float[N,7,2] y)
        <float[3,2] table = {1, 2, 3, 4, 5, 6}> { e = Gather (table, ids) y = Relu (e) }"""
    )
    ids = np.asarray(synthetic_samples(model, 0).feeds["ids"])
    assert ids.dtype == np.int64
    assert set(np.unique(ids)) == {0, 1, 2}


def test_open_lengths_need_data() -> None:
    model = onnx.parser.parse_model(
        HEADER + "open (float[N,L] a) => (float[N,L] y) { y = Relu (a) }"
    )
    with pytest.raises(DataError, match="open dimensions") as raised:
        synthetic_samples(model, 0)
    assert "--calibration" in raised.value.remedy

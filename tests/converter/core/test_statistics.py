"""Streaming statistics equal those of all data at once; threshold rules against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import draw
from tests.nets import CONV_BN_RELU, build

from onnx2snn.converter.calibration.samples import Samples
from onnx2snn.converter.calibration.statistics import BINS, ChannelStatistics, batch_size, measure
from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.thresholds import activation_range
from onnx2snn.converter.thresholds.mse import mse_range
from onnx2snn.converter.thresholds.percentile import percentile_range
from onnx2snn.ir.errors import DataError
from onnx2snn.ir.manifest import CalibrationSource
from onnx2snn.ir.session import Session

RNG = np.random.default_rng(2)
SOURCE = CalibrationSource(kind="data", samples=0)


def exposed() -> Session:
    ann = build(CONV_BN_RELU)
    ann.graph.output.extend(
        [type(ann.graph.output[0])(name="n"), type(ann.graph.output[0])(name="r")]
    )
    return Session(ann)


def of(values: np.ndarray) -> ChannelStatistics:
    """Statistics of values [C, M], through the same histogram as the converter's."""
    from onnx2snn.converter.calibration.statistics import _histogram

    reach = np.abs(values).max(axis=1)
    least, greatest, mean = values.min(axis=1), values.max(axis=1), values.mean(axis=1)
    return ChannelStatistics(least, greatest, mean, _histogram(np.abs(values), reach))


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_batches_do_not_matter(size: int) -> None:
    session, feeds = exposed(), draw(build(CONV_BN_RELU), 13)
    samples = Samples(feeds, SOURCE)
    found = measure(session, lambda: samples.batches(size), {"n": 1, "r": 1}, histograms=True)
    whole = session.run(feeds)["n"]
    flat = np.moveaxis(whole, 1, 0).reshape(4, -1).astype(np.float64)
    # onnxruntime sums a batch in another order than a sample: the last bits of float32.
    np.testing.assert_allclose(found["n"].least, flat.min(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["n"].greatest, flat.max(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["n"].mean, flat.mean(axis=1), rtol=1e-5)
    histogram = found["n"].histogram
    assert histogram is not None
    np.testing.assert_array_equal(histogram.sum(axis=1), np.count_nonzero(flat, axis=1))
    rectified = found["r"].histogram
    assert rectified is not None  # exact zeros are not counted
    np.testing.assert_array_equal(rectified.sum(axis=1), (flat > 0).sum(axis=1))


def test_activations_that_are_not_finite_are_named() -> None:
    feeds = {"x": np.full((2, 3, 8, 8), 3e38, np.float32)}
    with pytest.raises(DataError, match="'n' is not finite"):
        measure(exposed(), lambda: iter([feeds]), {"n": 1}, histograms=False)


def test_no_samples_are_told() -> None:
    with pytest.raises(DataError, match="no calibration samples"):
        measure(exposed(), lambda: iter([]), {"n": 1}, histograms=False)


def test_batches_fit_the_budget() -> None:
    shapes = {"a": (1, 10, 10), "b": (1, 25)}
    assert batch_size(shapes, ["a", "b"], 8 * 125 * 6 + 5) == 6
    assert batch_size(shapes, ["a"], 1) == 1
    assert batch_size(shapes, ["b"], 10**12) == 256


def test_percentile_against_sorting() -> None:
    values = np.abs(RNG.normal(size=(5, 20000))) * np.array([[1], [3], [0.1], [10], [1]])
    found = percentile_range(of(values), 99.0)
    exact = np.percentile(values, 99.0, axis=1)
    np.testing.assert_allclose(found, exact, atol=1.5 * values.max() / BINS)  # width of a bin
    np.testing.assert_allclose(percentile_range(of(values), 100.0), values.max(axis=1), rtol=1e-9)


@pytest.mark.parametrize("levels", [1, 3, 15, 63])
def test_mse_against_brute_force(levels: int) -> None:
    values = np.abs(RNG.standard_t(3, size=(4, 4000)))  # heavy tails: clipping pays

    def error(ranges: np.ndarray) -> np.ndarray:
        step = ranges[:, None] / levels
        rounded = np.minimum(np.floor(values / step + 0.5), levels) * step
        return np.asarray(((rounded - values) ** 2).mean(axis=1))

    found = error(mse_range(of(values), levels))
    tried = [error(values.max(axis=1) * fraction) for fraction in np.linspace(0.06, 1, 400)]
    # The rule tries 95 ranges on bins, the brute force 400 on values.
    assert (found <= np.min(tried, axis=0) * 1.03).all()
    assert (found <= error(values.max(axis=1))).all()


def test_silent_channels_get_the_median_of_the_others() -> None:
    values = np.abs(RNG.normal(size=(4, 100))) * np.array([[1], [0], [2], [4]])
    for rule in ("maximum", "percentile", "mse"):
        preset = find_preset("graded").model_copy(update={"threshold_rule": rule, "margin": 1.0})
        ranges = activation_range(of(values), preset)
        assert ranges[1] == np.median(np.delete(ranges, 1))
        assert (ranges > 0).all()
    dead = activation_range(of(np.zeros((3, 10))), find_preset("graded"))
    np.testing.assert_array_equal(dead, np.ones(3))

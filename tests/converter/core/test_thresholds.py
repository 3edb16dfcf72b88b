"""Laws of the threshold rules, on histograms of known shape and on whole nets."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import draw, run
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nets import CONV_BN_RELU, MLP, RESIDUAL, build

from onnx2snn.converter.calibration.statistics import BINS, ChannelStatistics, pooled
from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.convert import convert
from onnx2snn.converter.thresholds import THRESHOLD_RULES, activation_range
from onnx2snn.converter.thresholds.iteration import iterated_range
from onnx2snn.converter.thresholds.local import RATE, STEPS, local_range
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session


def statistics(values: np.ndarray) -> ChannelStatistics:
    """Statistics of activations [C, M]."""
    reach = np.abs(values).max(axis=1)
    histogram = np.stack(
        [
            np.histogram(np.abs(v[v != 0]), BINS, (0, r or 1.0))[0]
            for v, r in zip(values, reach, strict=True)
        ]
    )
    return ChannelStatistics(values.min(axis=1), values.max(axis=1), values.mean(axis=1), histogram)


def tails(seed: int, channels: int = 3, samples: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.2, 3.0, (channels, 1))
    return np.maximum(rng.exponential(scale, (channels, samples)) - scale / 2, 0)


def error(values: np.ndarray, theta: np.ndarray, levels: int) -> np.ndarray:
    """Mean squared quantisation error per channel."""
    q = theta[:, None] / levels
    return ((np.clip(np.floor(values / q + 0.5), 0, levels) * q - values) ** 2).mean(axis=1)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([2, 4, 8, 16]))
def test_threshold_iteration_ends_below_the_error_of_the_maximum(seed: int, levels: int) -> None:
    values = tails(seed)
    known = statistics(values)
    theta = iterated_range(known, levels)
    assert (theta <= known.reach * (1 + 1e-6)).all()
    # one bin of the histogram is the resolution
    assert (error(values, theta, levels) <= error(values, known.reach, levels) * 1.01).all()


def test_threshold_iteration_is_a_fixed_point() -> None:
    values, levels = tails(1), 8
    theta = iterated_range(statistics(values), levels)
    counts = np.clip(np.floor(values * levels / theta[:, None] + 0.5), 0, levels)
    again = levels * (values * counts).sum(axis=1) / (counts**2).sum(axis=1)
    np.testing.assert_allclose(again, theta, rtol=2e-3)  # a bin is 5e-4 of the range


def test_local_balancing_climbs_as_the_update_says() -> None:
    values = tails(2)
    expected = np.zeros(len(values))
    for _ in range(60):
        clipped = [
            np.maximum(v[v > 0] - t, 0).mean() for v, t in zip(values, expected, strict=True)
        ]
        expected += 2 * RATE * np.asarray(clipped)
    np.testing.assert_allclose(local_range(statistics(values), steps=60), expected, rtol=5e-3)


def test_local_balancing_leaves_a_small_share_above() -> None:
    values = np.random.default_rng(3).exponential(1.0, (1, 200_000))
    theta = local_range(statistics(values))
    share = float((values > theta).mean())
    assert 0.3 / (2 * RATE * STEPS) < share < 3 / (2 * RATE * STEPS)


@pytest.mark.parametrize("rule", sorted(THRESHOLD_RULES))
def test_a_layer_has_one_threshold_that_covers_its_channels(rule: str) -> None:
    values = tails(4)
    preset = find_preset("rate").replaced({"threshold_rule": rule, "granularity": "layer"})
    theta = activation_range(statistics(values), preset)
    assert theta.shape == (3,)
    assert len(set(theta)) == 1
    assert 0 < theta[0] <= values.max() * (1 + 1e-6)


def test_pooled_statistics_are_those_of_all_values() -> None:
    values = tails(5)
    whole, parts = statistics(values.reshape(1, -1)), pooled(statistics(values))
    assert parts.reach == pytest.approx(whole.reach)
    assert parts.mean == pytest.approx(whole.mean)
    assert parts.histogram is not None
    assert whole.histogram is not None
    assert parts.histogram.sum() == whole.histogram.sum()
    gap = np.abs(parts.histogram.cumsum() - whole.histogram.cumsum()).max()
    assert gap < 0.02 * whole.histogram.sum()  # values move by less than a bin of their channel


def quanta(model: SpikingModel) -> list[float]:
    return [float(layer.quantum.max()) for layer in model.neurons if "encoder" not in layer.name]


@pytest.mark.parametrize("text", [MLP, CONV_BN_RELU, RESIDUAL])
def test_threshold_relu_keeps_the_answers_of_the_ann(text: str) -> None:
    ann = build(text)
    feeds = draw(ann, 32)
    options = {"calibration": feeds, "preset": "rate", "timesteps": 64, "bias_correction": False}
    clipped, _ = convert(ann, threshold_rule="threshold-relu", **options)
    free, _ = convert(ann, threshold_rule="maximum", **options)
    assert all(a <= b for a, b in zip(quanta(clipped), quanta(free), strict=True))
    answers = Session(ann).run(feeds)["y"].reshape(32, -1).argmax(axis=1)
    given_ = run(clipped, feeds, 256)["y"].reshape(32, -1).argmax(axis=1)
    assert (answers == given_).mean() >= 0.9  # at most 1 % by the clip, the rest by T

"""Laws of the input codings: Poisson spikes and the first spike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spiking_nets import sealed

from onnx2snn.ir.derive.expect import expect
from onnx2snn.ir.ops import FirstSpike, PoissonSpikes
from onnx2snn.ir.ops.counter_hash import mix, random_field
from onnx2snn.ir.session import Session
from onnx2snn.ir.types import Array

POISSON, FIRST = PoissonSpikes(), FirstSpike()


def shown(x: Array, timesteps: int, stimulus: int) -> Array:
    """The direct current of x, folded."""
    steps = [x * np.float32(t <= stimulus) for t in range(1, timesteps + 1)]
    return np.concatenate(steps).astype(np.float32)


def poisson(x: Array, timesteps: int, seed: int = 0, stimulus: int | None = None) -> Array:
    """Emissions [T, N, *F] for quantum 1 and no current."""
    stimulus = stimulus or timesteps
    parameters = {
        "quantum": np.ones(1, np.float32),
        "current": np.zeros(1, np.float32),
        "seed": np.array(seed),
        "timesteps": np.array(timesteps),
        "stimulus": np.array(stimulus),
    }
    y = POISSON.sequence(shown(x, timesteps, stimulus), parameters)
    return y.reshape(timesteps, *x.shape)


def test_the_hash_is_a_bijection_where_it_can_be_looked_at() -> None:
    numbers = np.arange(2**18, dtype=np.int64) * 2**14
    hashed = mix(numbers)
    assert len(np.unique(hashed)) == len(numbers)
    assert hashed.min() >= 0
    assert hashed.max() < 2**32


def test_random_numbers_are_uniform_and_uncorrelated() -> None:
    field = np.stack([random_field(7, t, 4096) for t in range(1, 65)]) / 2**24
    counts = np.histogram(field, bins=64, range=(0, 1))[0]
    expected = field.size / 64
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 63 + 4 * np.sqrt(2 * 63)  # 4 standard deviations of chi-square, 63 df
    for near in (field[:, 1:] * field[:, :-1], field[1:] * field[:-1]):
        # Products of independent uniforms: mean 1/4, variance 7/144.
        assert abs(near.mean() - 0.25) < 4 * np.sqrt(7 / 144 / near.size)


@pytest.mark.parametrize("seed", [0, 1, 2**40 + 5])
def test_poisson_counts_are_binomial(seed: int) -> None:
    timesteps, units = 64, 2000
    for p in (0.02, 0.3, 0.5, 0.9):
        counts = np.abs(poisson(np.full((1, units), p, np.float32), timesteps, seed)).sum(0)[0]
        variance = timesteps * p * (1 - p)
        assert abs(counts.mean() - timesteps * p) < 4 * np.sqrt(variance / units)
        # The sample variance has about this standard deviation (kurtosis of the binomial).
        kurtosis = (1 - 6 * p * (1 - p)) / variance + 2
        assert abs(counts.var() / variance - 1) < 4 * np.sqrt(kurtosis / units)


def test_poisson_ends_are_certain_and_signs_are_kept() -> None:
    x = np.array([[0.0, 1.0, -1.0, 5.0, -0.5]], np.float32)
    y = poisson(x, 100)
    np.testing.assert_array_equal(y[:, 0, :4], np.tile([0, 1, -1, 1], (100, 1)))
    assert set(np.unique(y[:, 0, 4])) == {-1.0, 0.0}


def test_poisson_does_not_depend_on_the_batch_and_does_on_the_seed() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (3, 2, 50)).astype(np.float32)
    together = poisson(x, 8)
    np.testing.assert_array_equal(together[:, 1:2], poisson(x[1:2], 8))
    assert (poisson(x, 8, seed=1) != together).mean() > 0.2


def test_poisson_is_silent_after_the_stimulus() -> None:
    x = np.full((1, 200), 0.9, np.float32)
    y = poisson(x, 10, stimulus=4)
    assert y[:4].any()
    assert not y[4:].any()


def first(x: Array, window: int, stimulus: int, timesteps: int, reach: float = 1.0) -> Array:
    """Emissions [T, N, *F] for sizes up to ``reach``."""
    y = FIRST.sequence(
        shown(x, timesteps, stimulus),
        {
            "quantum": np.array([stimulus * reach / window], np.float32),
            "current": np.zeros(1, np.float32),
            "window": np.array(window),
            "timesteps": np.array(timesteps),
            "stimulus": np.array(stimulus),
        },
    )
    return y.reshape(timesteps, *x.shape)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([0.1, 1.0, 7.5]),
    st.integers(0, 2**16),
)
def test_latency_laws(window: int, stimulus: int, reach: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-reach, reach, (1, 30)).astype(np.float32), axis=1)
    timesteps = max(window, stimulus) + 1
    y = first(x, window, stimulus, timesteps, reach)
    fired = y != 0
    assert fired.sum(axis=0).max() <= 1
    slot = reach / window
    # Half a slot, and the rounding of float32 sums and quotients on top.
    np.testing.assert_allclose(y.sum(0) / stimulus, x, atol=slot / 2 + 1e-5 * reach, rtol=0)
    times = np.where(fired.any(0), fired.argmax(0), timesteps)[0]
    assert (np.diff(times[x[0] >= 0]) <= 0).all()
    assert (np.diff(times[x[0] <= 0]) >= 0).all()
    settled = FIRST.settled(
        x,
        {
            "quantum": np.array([stimulus * reach / window], np.float32),
            "current": np.zeros(1, np.float32),
            "window": np.array(window),
            "stimulus": np.array(stimulus),
        },
    )
    np.testing.assert_allclose(y.sum(0) / stimulus, settled, atol=slot * 1.001, rtol=0)


def test_latency_fires_in_the_slot_of_its_size() -> None:
    x = np.array([[1.0, 0.75, 0.5, 0.25, 0.1, 2.0]], np.float32)
    y = first(x, window=4, stimulus=1, timesteps=6)[:, 0]
    assert (y != 0).argmax(0).tolist() == [0, 1, 2, 3, 0, 0]
    np.testing.assert_array_equal(y.sum(0), np.float32([1.0, 0.75, 0.5, 0.25, 0.0, 1.0]))


def test_the_expected_model_is_the_mean_over_seeds() -> None:
    text = """
    net (float[N, 3] image, int64 timesteps) => (float[N, 3] y) {
      shown = onnx2snn.DirectCurrent (image, timesteps, onnx2snn_stimulus)
      spikes = onnx2snn.PoissonSpikes (shown, q, c, seed, timesteps, onnx2snn_stimulus)
      y = onnx2snn.ReadOut (spikes, zero, timesteps, onnx2snn_stimulus)
    }"""
    constants = {
        "q": np.ones((1, 3), np.float32),
        "c": np.array([[0.25, -0.5, 0.75]], np.float32),
        "zero": np.zeros((1, 3), np.float32),
    }
    image, clock = np.array([[0.25, 0.25, 0.75]], np.float32), np.array(24)
    found = []
    for seed in range(50):
        model = sealed(text, {**constants, "seed": np.array(seed)}, stimulus=16, timesteps=24)
        found.append(Session(model.proto).run({"image": image, "timesteps": clock})["y"])
    expected = Session(expect(model)).run({"image": image, "timesteps": clock})["y"]
    np.testing.assert_array_equal(expected, [[0.5, -0.25, 1.0]])
    # 800 coin flips with p = 1/2: the standard deviation of the mean is 0.018.
    np.testing.assert_allclose(np.mean(found, axis=0), expected, atol=4 * 0.018)

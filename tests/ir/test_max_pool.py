"""Max-pooling in spikes: exact at every timestep, and binary where its input is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import Case, dyadic, sequence_model

from onnx2snn.ir.ops import GatedMaxPool, IncrementMaxPool, MembraneMaxPool, SpikingOp
from onnx2snn.ir.ops.pool_windows import pool_windows
from onnx2snn.ir.session import Session

TIMESTEPS, BATCH, CHANNELS, SIDE = 7, 2, 2, 7
WINDOWS = st.fixed_dictionaries(
    {
        "kernel_shape": st.tuples(st.integers(1, 3), st.integers(1, 3)).map(list),
        "strides": st.tuples(st.integers(1, 3), st.integers(1, 3)).map(list),
        "ceil_mode": st.integers(0, 1),
    }
)


def with_pads(draw, window: dict) -> dict:
    pads = [draw(st.integers(0, size - 1)) for size in window["kernel_shape"]] * 2
    return {**window, "pads": pads}


windows = st.composite(lambda draw: with_pads(draw, draw(WINDOWS)))()


def spikes(seed: int, alphabet: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (TIMESTEPS, BATCH, CHANNELS, SIDE, SIDE)
    return rng.choice(np.array(alphabet, np.float32), shape)


def pooled(op: SpikingOp, x: np.ndarray, inputs: dict, window: dict) -> np.ndarray:
    """The output of the ONNX body, [T, N, C, H, W]."""
    known = {"timesteps": np.array(len(x), np.int64), "stimulus": np.array(2, np.int64)}
    inputs = {name: {**known, **inputs}[name] for name in op.inputs[1:]}
    it = Case(op, x, inputs, window)
    y = Session(sequence_model(it)).run({"x": x.reshape(-1, *x.shape[2:]), **inputs})["y"]
    return y.reshape(len(x), -1, *y.shape[1:])


def max_pool(x: np.ndarray, window: dict) -> np.ndarray:
    return pool_windows(x, {name: np.asarray(value) for name, value in window.items()})


@given(windows, st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_increments_sum_to_the_pool_of_the_counts(window: dict, seed: int) -> None:
    quantum = np.array([0.25, 0.375], np.float32).reshape(1, CHANNELS, 1, 1)
    x = spikes(seed, (-1, 0, 1, 2)) * quantum
    y = pooled(IncrementMaxPool(), x, {"quantum": quantum}, window)
    for t in range(TIMESTEPS):
        np.testing.assert_array_equal(y[: t + 1].sum(0), max_pool(x[: t + 1].sum(0), window))


@given(windows, st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_increments_sum_to_the_pool_of_the_currents(window: dict, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = dyadic(rng, (TIMESTEPS, BATCH, CHANNELS, SIDE, SIDE), -1, 1)
    current = dyadic(rng, (1, CHANNELS, 1, 1), -1, 1)
    y = pooled(MembraneMaxPool(), x, {"current": current}, window)
    for t in range(TIMESTEPS):
        total = x[: t + 1].sum(0) + min(t + 1, 2) * current
        np.testing.assert_array_equal(y[: t + 1].sum(0), max_pool(total, window))


@given(windows, st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_binary_in_binary_out(window: dict, seed: int) -> None:
    x = spikes(seed, (0, 1))
    quantum = np.ones((1, CHANNELS, 1, 1), np.float32)
    for op in (IncrementMaxPool(), GatedMaxPool()):
        assert set(np.unique(pooled(op, x, {"quantum": quantum}, window))) <= {0, 1}


def test_ternary_in_ternary_out() -> None:
    quantum = np.ones((1, CHANNELS, 1, 1), np.float32)
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 0}
    y = pooled(IncrementMaxPool(), spikes(0, (-1, 0, 1)), {"quantum": quantum}, window)
    assert set(np.unique(y)) <= {-1, 0, 1}


def test_the_gate_passes_the_winner() -> None:
    """Unit 0 has the most spikes at every timestep, so the gate passes its train."""
    x = np.zeros((4, 1, 1, 1, 2), np.float32)
    x[:, 0, 0, 0] = [[1, 0], [0, 0], [1, 1], [1, 0]]
    y = pooled(GatedMaxPool(), x, {}, {"kernel_shape": [1, 2], "strides": [1, 2]})
    np.testing.assert_array_equal(y.ravel(), [1, 0, 1, 1])


@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_momentary_maxima_would_be_too_high(ceil_mode: int) -> None:
    """Two units that alternate: the pool of the counts is 2, the sum of the maxima is 4."""
    x = np.zeros((4, 1, 1, 1, 2), np.float32)
    x[:, 0, 0, 0] = [[1, 0], [0, 1], [1, 0], [0, 1]]
    window = {"kernel_shape": [1, 2], "strides": [1, 2], "ceil_mode": ceil_mode}
    y = pooled(IncrementMaxPool(), x, {"quantum": np.ones((1, 1, 1, 1), np.float32)}, window)
    np.testing.assert_array_equal(y.ravel(), [1, 0, 1, 0])

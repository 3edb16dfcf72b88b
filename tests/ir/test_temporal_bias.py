"""The laws of the temporal bias: what it adds to a stream, and what that is to a neuron."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import dyadic

from onnx2snn.ir.ops import IntegrateFire, SignedIntegrateFire, TemporalBias

UNITS = 64
QUANTUM = np.full((1, UNITS), 0.25, np.float32)  # a power of two: potentials are exact


def biased(x: np.ndarray, table: np.ndarray, timesteps: int) -> np.ndarray:
    clock = {"timesteps": np.array(timesteps), "stimulus": np.array(timesteps)}
    return TemporalBias().sequence(x, {"table": table, **clock})


def spikes(op, x: np.ndarray, timesteps: int, current: float = 0.0, **attributes) -> np.ndarray:
    given_ = {
        "quantum": QUANTUM,
        "current": np.full((1, UNITS), current, np.float32),
        "n_min": np.float32(0),
        "n_max": np.float32(100),
        "timesteps": np.array(timesteps),
        "stimulus": np.array(timesteps),
    }
    return op.sequence(x, {**given_, **{k: np.float32(v) for k, v in attributes.items()}}) / QUANTUM


@pytest.mark.parametrize("rows", [1, 3, 6, 9])
def test_the_stream_sums_to_itself_and_the_rows_seen(rows: int) -> None:
    rng = np.random.default_rng(rows)
    x, table = dyadic(rng, (6, UNITS), -1, 1), dyadic(rng, (rows, UNITS), -1, 1)
    y = biased(x, table, 6)
    np.testing.assert_array_equal(y.sum(axis=0), x.sum(axis=0) + table[:6].sum(axis=0))


@pytest.mark.parametrize("op", [IntegrateFire(), SignedIntegrateFire()])
def test_one_row_is_an_initial_potential(op) -> None:
    """theta / 2 at the first timestep, from v_0 = 0: the spike train of v_0 = theta / 2."""
    x = dyadic(np.random.default_rng(1), (12, UNITS), -0.5, 0.5)
    with_row = spikes(op, biased(x, QUANTUM / 2, 12), 12, initial_potential=0.0)
    np.testing.assert_array_equal(with_row, spikes(op, x, 12, initial_potential=0.5))


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([1, 2, 4, 8, 16, 32]), st.integers(0, 2**16))
def test_both_forms_of_the_shift_give_the_same_counts(timesteps: int, seed: int) -> None:
    """Deng and Gu's theta / (2T) at each step is v_0 = theta / 2 for a steady input, after T."""
    z = dyadic(np.random.default_rng(seed), (1, UNITS), -0.25, 0.5)
    x = np.repeat(z, timesteps, axis=0)
    potential = spikes(IntegrateFire(), x, timesteps, initial_potential=0.5)
    bias = spikes(IntegrateFire(), x, timesteps, current=0.125 / timesteps, initial_potential=0.0)
    np.testing.assert_array_equal(potential.sum(axis=0), bias.sum(axis=0))
    rate = np.clip(np.floor(z * timesteps / 0.25 + 0.5), 0, timesteps)
    np.testing.assert_array_equal(potential.sum(axis=0), rate[0])

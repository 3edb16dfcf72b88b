"""Laws of the leaky neuron."""

from __future__ import annotations

import numpy as np
import pytest
from op_cases import case, settled_model

from onnx2snn.ir.ops import IntegrateFire, LeakyIntegrateFire
from onnx2snn.ir.session import Session
from onnx2snn.ir.types import Array

LIF = LeakyIntegrateFire()


def parameters(leak: float, timesteps: int, stimulus: int | None = None) -> dict[str, Array]:
    return {
        "quantum": np.ones(1, np.float32),
        "current": np.zeros(1, np.float32),
        "leak": np.array([leak], np.float32),
        "timesteps": np.array(timesteps),
        "stimulus": np.array(timesteps if stimulus is None else stimulus),
    }


def test_without_leak_it_is_integrate_and_fire() -> None:
    rng = np.random.default_rng(0)
    x = (rng.integers(-8, 16, (20, 3, 7)) / 16).astype(np.float32)
    folded, given = x.reshape(60, 7), parameters(1.0, 20)
    plain = {**given, "initial_potential": np.float32(0)}
    np.testing.assert_array_equal(
        LIF.sequence(folded, given), IntegrateFire().sequence(folded, plain)
    )


def test_fires_iff_the_input_outweighs_the_leak() -> None:
    leak = 0.75
    x = np.array([[0.24, 0.26, 0.5, -1.0]], np.float32)
    y = LIF.sequence(np.concatenate([x] * 200), parameters(leak, 200))
    assert (y.reshape(200, 4).sum(0) > 0).tolist() == [False, True, True, False]


def test_charge_is_conserved_up_to_what_leaks() -> None:
    rng = np.random.default_rng(1)
    leak, timesteps = 0.875, 30
    x = (rng.integers(-4, 12, (timesteps, 50)) / 16).astype(np.float32)
    state, leaked, emitted = LIF.initial_state(x[:1], {}), np.zeros((1, 50)), np.zeros((1, 50))
    given = parameters(leak, timesteps)
    for t in range(1, timesteps + 1):
        leaked += (1 - leak) * state[0]
        y, state = LIF.step(x[t - 1 : t], state, t, given)
        emitted += y
    # Float32 rounding of 30 potentials below 4.
    np.testing.assert_allclose(emitted + state[0] + leaked, x.sum(0, keepdims=True), atol=1e-4)


def test_recent_spikes_count_more() -> None:
    early, late = np.zeros((8, 1), np.float32), np.zeros((8, 1), np.float32)
    early[0], late[-1] = 0.9, 0.9
    probe = np.zeros((8, 1), np.float32)
    probe[-1] = 0.5
    given = parameters(0.5, 8)
    assert LIF.sequence(early + probe, given).sum() == 0
    assert LIF.sequence(late + probe, given).sum() == 1


@pytest.mark.parametrize(("timesteps", "stimulus"), [(1, 1), (6, 2), (5, 5), (3, 7)])
def test_settled_body_equals_numpy(timesteps: int, stimulus: int) -> None:
    it = case(LIF, seed=3, timesteps=timesteps, stimulus=stimulus)
    expected = LIF.settled(it.x[0], it.parameters)
    got = Session(settled_model(it)).run({"x": it.x[0], **it.inputs})["y"]
    # Sums over time may be taken in another order.
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert got.any()

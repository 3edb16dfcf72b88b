"""The laws of the neurons: where they settle, what they conserve, how fast they converge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import SOMA_RANGES, Case, dyadic

from onnx2snn.ir.ops import (
    MAX_DIGITS,
    GradedIntegrateFire,
    IntegrateFire,
    Neuron,
    SignedIntegrateFire,
)
from onnx2snn.ir.ops.graded_integrate_fire import digit
from onnx2snn.ir.somas import LINEAR, PRELU, SOMAS

SIMPLE = (LINEAR, PRELU)
UNITS = 400


def drive(op: Neuron, seed: int, timesteps: int, stimulus: int, shown: int) -> Case:
    """Random input for ``shown`` timesteps, then silence."""
    rng = np.random.default_rng(seed)
    x = np.zeros((timesteps, 1, UNITS), np.float32)
    x[:shown] = dyadic(rng, (shown, 1, UNITS), -1.0, 1.5)
    inputs = {
        "quantum": rng.uniform(0.03, 0.4, (1, UNITS)).astype(np.float32),
        "current": dyadic(rng, (1, UNITS), -0.5, 0.5),
        **{name: dyadic(rng, (1, UNITS), *ends) for name, ends in SOMA_RANGES.items()},
        "n_min": np.array(-9, np.float32),
        "n_max": np.array(31, np.float32),
        "timesteps": np.array(timesteps, np.int64),
        "stimulus": np.array(stimulus, np.int64),
    }
    return Case(op, x, {name: inputs[name] for name in op.inputs[1:]}, {})


def emissions(it: Case) -> np.ndarray:
    """Emissions in quanta, [T, N, F]."""
    flat = it.op.sequence(it.x.reshape(-1, UNITS), it.parameters)
    return np.rint(flat / it.inputs["quantum"]).reshape(it.x.shape)


def settled_count(it: Case) -> np.ndarray:
    """The count of the quantised activation of the mean input over the stimulus."""
    op = it.op
    assert isinstance(op, Neuron)
    stimulus = np.float32(it.inputs["stimulus"])
    level = op.level(it.x.sum(axis=0), stimulus, it.parameters)
    return op.settle(level, it.parameters)


@pytest.mark.parametrize("stimulus", [1, 4])
@pytest.mark.parametrize(
    "op",
    [
        *(SignedIntegrateFire(soma) for soma in SOMAS),
        *(GradedIntegrateFire(soma, k) for soma in SIMPLE for k in (1, 2, 3, 8)),
        *(GradedIntegrateFire(soma) for soma in SOMAS if soma not in SIMPLE),
    ],
    ids=lambda op: op.name,
)
def test_settles_at_the_quantised_activation(op: Neuron, stimulus: int) -> None:
    """Sums are of multiples of 2^-10, so both sides compare the same floats: no ties apart."""
    it = drive(op, seed=0, timesteps=80, stimulus=stimulus, shown=4)
    np.testing.assert_array_equal(emissions(it).sum(axis=0), settled_count(it))


@pytest.mark.parametrize("soma", SIMPLE, ids=lambda soma: soma.name)
def test_binary_neuron_settles_without_premature_spikes(soma) -> None:
    it = drive(IntegrateFire(soma), seed=1, timesteps=60, stimulus=4, shown=4)
    it.x[:] = np.abs(it.x)
    it.inputs["current"][:] = np.abs(it.inputs["current"])
    np.testing.assert_array_equal(emissions(it).sum(axis=0), settled_count(it))


def test_binary_neuron_conserves_charge() -> None:
    """v[T] - v[0] = inputs - outputs, and v stays below theta while the drive does."""
    op = IntegrateFire()
    it = drive(op, seed=2, timesteps=50, stimulus=50, shown=50)
    it.x[:] = np.abs(it.x) * 0.02
    it.inputs["current"][:] = 0
    emitted = emissions(it).sum(axis=0)
    left = it.x.sum(axis=0) - emitted * it.inputs["quantum"]
    potential = left + 0.5 * it.inputs["quantum"]
    assert (potential > -1e-5).all()  # rounding of charge * (1 / q): float32 resolution
    assert (potential < it.inputs["quantum"] + 1e-5).all()


def test_bounded_counts_never_leave_their_bounds() -> None:
    for op in (SignedIntegrateFire(), GradedIntegrateFire(LINEAR, 2)):
        it = drive(op, seed=3, timesteps=40, stimulus=1, shown=20)
        counts = emissions(it).cumsum(axis=0)
        if isinstance(op, SignedIntegrateFire):
            assert counts.min() >= -9
            assert counts.max() <= 31
        assert np.abs(emissions(it)).max() <= (1 if isinstance(op, SignedIntegrateFire) else 64)


def test_alphabets() -> None:
    binary = emissions(drive(IntegrateFire(), 4, 20, 20, 20))
    ternary = emissions(drive(SignedIntegrateFire(), 4, 20, 20, 20))
    graded = emissions(drive(GradedIntegrateFire(), 4, 20, 20, 20))
    assert set(np.unique(binary)) <= {0, 1}
    assert set(np.unique(ternary)) <= {-1, 0, 1}
    sizes = np.abs(graded[graded != 0])
    np.testing.assert_array_equal(np.exp2(np.rint(np.log2(sizes))), sizes)


@pytest.mark.parametrize("op", [IntegrateFire(), SignedIntegrateFire()], ids=lambda op: op.name)
def test_fires_at_equality(op: Neuron) -> None:
    """Potential 1/2 + 1/2 is the threshold: it fires; one unit in the last place less does not."""
    just_below = np.nextafter(np.float32(0.5), np.float32(0))
    x = np.array([[0.5, just_below - np.float32(2**-24)]], np.float32)
    parameters = {
        "quantum": np.ones((1, 1), np.float32),
        "current": np.zeros((1, 1), np.float32),
        "n_min": np.float32(0),
        "n_max": np.float32(9),
        "timesteps": np.int64(1),
        "stimulus": np.int64(1),
    }
    np.testing.assert_array_equal(op.sequence(x, parameters), [[1.0, 0.0]])


@given(st.integers(-(2**22) + 1, 2**22 - 1))
@settings(max_examples=300)
def test_a_digit_follows_the_logarithm(d: int) -> None:
    expected = 0.0 if d == 0 else np.sign(d) * 2.0 ** np.floor(np.log2(abs(d) * 4 / 3))
    assert digit(np.array([d], np.float32))[0] == expected


def test_ties_of_digits_go_up() -> None:
    j = np.arange(20)
    np.testing.assert_array_equal(digit((3 * 2.0**j).astype(np.float32)), 4 * 2.0**j)


def test_every_digit_shrinks_the_error_threefold() -> None:
    gap = np.arange(1, 2**18, dtype=np.float32)
    for _ in range(MAX_DIGITS):
        left = gap - digit(gap)
        assert (3 * np.abs(left) <= np.abs(gap)).all()
        gap = left


def test_silence_costs_nothing() -> None:
    for op in (IntegrateFire(), SignedIntegrateFire(), GradedIntegrateFire()):
        it = drive(op, seed=5, timesteps=10, stimulus=1, shown=0)
        it.inputs["current"][:] = 0
        assert not emissions(it).any()

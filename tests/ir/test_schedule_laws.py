"""The laws of hard reset and of schedules: held neurons, neurons that switch off."""

from __future__ import annotations

import numpy as np
import pytest
from op_cases import Case, dyadic

from onnx2snn.ir.ops import (
    GradedIntegrateFire,
    HardResetIntegrateFire,
    IntegrateFire,
    Neuron,
    ScheduledGradedIntegrateFire,
    ScheduledIntegrateFire,
    ScheduledSignedIntegrateFire,
    SignedIntegrateFire,
)

UNITS = 300
QUANTUM = np.float32(0.25)  # a power of two: potentials are exact


def drive(op: Neuron, seed: int, timesteps: int, shown: int, n_max: float = 15, **attributes):
    """Signed input for ``shown`` timesteps, then silence; S = ``shown``."""
    rng = np.random.default_rng(seed)
    x = np.zeros((timesteps, 1, UNITS), np.float32)
    x[:shown] = dyadic(rng, (shown, 1, UNITS), -0.5, 0.75)
    inputs = {
        "quantum": np.full((1, UNITS), QUANTUM),
        "current": dyadic(rng, (1, UNITS), -0.25, 0.25),
        "n_min": np.array(0, np.float32),
        "n_max": np.array(n_max, np.float32),
        "timesteps": np.array(timesteps, np.int64),
        "stimulus": np.array(shown, np.int64),
    }
    return Case(op, x, {name: inputs[name] for name in op.inputs[1:]}, attributes)


def emissions(it: Case) -> np.ndarray:
    """Emissions in quanta, [T, F]."""
    flat = it.op.sequence(it.x.reshape(-1, UNITS), it.parameters)
    return np.rint(flat / QUANTUM).reshape(len(it.x), UNITS)


def settled(it: Case) -> np.ndarray:
    """The count of the quantised activation of all input, [F]."""
    op = it.op
    assert isinstance(op, Neuron)
    level = op.level(it.x.sum(axis=0), np.float32(it.inputs["stimulus"]), it.parameters)
    return op.settle(level, it.parameters)[0]


def test_hard_reset_follows_its_equation() -> None:
    it = drive(HardResetIntegrateFire(), 0, 40, 30)
    v = np.full(UNITS, 0.5 * QUANTUM)
    for t, fired in enumerate(emissions(it)):
        u = v + it.x[t, 0] + (t < 30) * it.inputs["current"][0]
        np.testing.assert_array_equal(fired, u >= QUANTUM)
        v = np.where(u >= QUANTUM, 0, u)


def test_hard_reset_loses_charge() -> None:
    hard = drive(HardResetIntegrateFire(), 1, 40, 40)
    soft = drive(IntegrateFire(), 1, 40, 40)
    for it in (hard, soft):
        it.x[:] = np.abs(it.x)
        it.inputs["current"][:] = 0
    assert (emissions(hard).sum(0) <= emissions(soft).sum(0)).all()
    assert emissions(hard).sum() < 0.9 * emissions(soft).sum()


@pytest.mark.parametrize(
    ("scheduled", "plain"),
    [
        (ScheduledIntegrateFire(), IntegrateFire()),
        (ScheduledSignedIntegrateFire(), SignedIntegrateFire()),
        (ScheduledGradedIntegrateFire(), GradedIntegrateFire()),
    ],
    ids=lambda op: op.name,
)
def test_without_a_schedule_nothing_changes(scheduled: Neuron, plain: Neuron) -> None:
    """Binary neurons without a schedule have no bound: here it is out of reach."""
    ours, theirs = (drive(op, 2, 30, 20, n_max=99) for op in (scheduled, plain))
    np.testing.assert_array_equal(emissions(ours), emissions(theirs))


@pytest.mark.parametrize(
    "op",
    [ScheduledIntegrateFire(), ScheduledSignedIntegrateFire(), ScheduledGradedIntegrateFire()],
    ids=lambda op: op.name,
)
@pytest.mark.parametrize("shown", [1, 8])
def test_a_held_neuron_is_silent_and_then_exact(op: Neuron, shown: int) -> None:
    """All input is there when it starts: no unit spike is premature, and the sum is exact."""
    it = drive(op, 3, shown + 15, shown, silent_steps=float(shown))
    fired = emissions(it)
    assert not fired[:shown].any()
    assert op.alphabet == "graded" or (fired >= 0).all()  # digits may overshoot the target
    np.testing.assert_array_equal(fired.sum(0), settled(it))


def test_a_binary_neuron_without_hold_is_not_exact() -> None:
    it = drive(ScheduledIntegrateFire(), 3, 40, 8)
    assert (emissions(it).sum(0) > settled(it)).any()


def test_switching_off_works_off_the_potential_and_hears_nothing_later() -> None:
    it = drive(ScheduledIntegrateFire(), 4, 60, 20, n_max=99, switch_off=1.0)
    it.inputs["stimulus"] = np.array(10, np.int64)  # input still arrives in the timesteps 11..20
    fired = emissions(it)
    late = fired[10:]
    # Once silent after the stimulus, silent for good: the late spikes come in one piece.
    assert (np.diff(late, axis=0) <= 0).all()
    assert late.any()
    # A neuron that is below the threshold at t = 11 does not fire again, although input arrives.
    still = emissions(drive_like(it, switch_off=0.0))
    np.testing.assert_array_equal(fired[:11], still[:11])
    quiet = still[10] == 0
    assert still[10:, quiet].any()
    assert not late[:, quiet].any()


def drive_like(it: Case, **attributes: float) -> Case:
    return Case(it.op, it.x, it.inputs, attributes)


def test_a_held_neuron_does_not_switch_off_before_it_starts() -> None:
    it = drive(ScheduledSignedIntegrateFire(), 5, 40, 8, silent_steps=12.0, switch_off=1.0)
    np.testing.assert_array_equal(emissions(it).sum(0), settled(it))

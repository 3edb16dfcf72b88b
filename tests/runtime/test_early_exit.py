"""Early exit: who leaves when, what it saves, and that the threshold keeps its promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spiking_nets import conv_net, images, lift_net, tokens

from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.errors import SimulationError
from onnx2snn.runtime import BACKENDS
from onnx2snn.runtime.runs.early_exit import (
    EarlyExit,
    confidence,
    entropy,
    lowest_threshold,
    margin,
)
from onnx2snn.runtime.runs.simulate import simulate
from onnx2snn.runtime.runs.tune_early_exit import tune_early_exit

T = 8
HERE = [backend.name for backend in BACKENDS if not backend.why_unavailable()]


@pytest.mark.parametrize("backend", HERE)
@pytest.mark.parametrize("every", [1, 3])
def test_samples_leave_with_the_outputs_of_their_timestep(every: int, backend: str) -> None:
    """Against whole runs of every length: the same outputs, and the events up to the exit."""
    model, x = conv_net(stimulus=2), images(9)
    looks = [*range(every, T, every), T]
    whole = {t: simulate(model, x, timesteps=t, backend=backend, record="counts") for t in looks}
    confidences = np.array([confidence("margin", whole[t].outputs) for t in looks])
    threshold = float(np.quantile(confidences[0], 0.6))
    run = simulate(
        model,
        x,
        timesteps=T,
        backend=backend,
        record="counts",
        early_exit=EarlyExit("margin", threshold, every),
    )
    clear = confidences >= threshold
    clear[-1] = True
    exits = np.array(looks)[clear.argmax(axis=0)]
    assert run.exits is not None
    np.testing.assert_array_equal(run.exits, exits)
    assert 1 < len(set(exits.tolist()))  # some leave early, some do not
    assert run.mean_timesteps == exits.mean()
    for name, values in run.outputs.items():
        expected = np.array([whole[t].outputs[name][i] for i, t in enumerate(exits)])
        np.testing.assert_allclose(values, expected, atol=1e-6)  # sums of another batch size
    for name, layer in run.layers.items():
        counts = np.array([whole[t].layers[name].counts[i] for i, t in enumerate(exits)])
        np.testing.assert_array_equal(layer.counts, counts)


def test_events_end_with_the_exit() -> None:
    model, x = conv_net(stimulus=2), images(5)
    at_once = simulate(
        model, x, timesteps=T, record="counts", early_exit=EarlyExit("margin", 0.0, 2)
    )
    short = simulate(model, x, timesteps=2, record="counts")
    assert at_once.exits is not None
    assert set(at_once.exits.tolist()) == {2}
    assert at_once.events == short.events
    for layer in at_once.layers.values():
        assert not layer.events[2:].any()


def test_never_clear_is_the_full_run() -> None:
    model, x = conv_net(stimulus=2), images(4)
    never = simulate(
        model, x, timesteps=T, record="spikes", early_exit=EarlyExit("entropy", np.inf, 3)
    )
    full = simulate(model, x, timesteps=T, record="spikes")
    assert never.mean_timesteps == T
    for name, values in full.outputs.items():
        np.testing.assert_array_equal(never.outputs[name], values)
    for name, layer in full.layers.items():
        np.testing.assert_array_equal(never.layers[name].spikes, layer.spikes)


def test_confidences_by_hand() -> None:
    scores = np.array([[0.1, 0.7, 0.2], [0.2, 0.2, 0.6]])
    np.testing.assert_allclose(margin(scores), [0.5, 0.4])
    expected = 1 + (scores * np.log(scores)).sum(axis=1) / np.log(3)
    np.testing.assert_allclose(entropy(scores), expected)
    extremes = entropy(np.array([[5.0, 5.0, 5.0], [1e3, 0.0, 0.0]]))
    np.testing.assert_allclose(extremes, [0, 1], atol=1e-12)  # rounding of the logarithms
    np.testing.assert_allclose(entropy(np.log(scores) + 3), expected)  # logits of the same shares


@given(seed=st.integers(0, 2**32 - 1), max_loss=st.sampled_from([0.05, 0.1, 0.3]))
def test_the_threshold_is_the_lowest_that_keeps_the_bound(seed: int, max_loss: float) -> None:
    rng = np.random.default_rng(seed)
    looks, samples = int(rng.integers(2, 6)), int(rng.integers(20, 60))
    confidences = rng.integers(0, 12, (looks, samples)) / 12  # with ties
    answers = rng.integers(0, 3, (looks, samples))

    def changed(threshold: float) -> int:
        clear = confidences >= threshold
        clear[-1] = True
        first = clear.argmax(axis=0)
        return int(np.sum(answers[first, np.arange(samples)] != answers[-1]))

    found = lowest_threshold(confidences, answers, max_loss)
    bound = max_loss * (samples + 1) - 1
    candidates = np.unique(confidences[:-1])
    kept = [c for c in candidates if c >= found]
    assert all(changed(c) <= bound + 1e-9 for c in [found, *kept])
    lower = [c for c in candidates if c < found]
    if lower:
        assert changed(lower[-1]) > bound


def test_tuning_keeps_the_bound_on_its_own_data() -> None:
    model, x = conv_net(stimulus=2), images(60)
    rule = tune_early_exit(model, x, rule="margin", max_loss=0.1, timesteps=T)
    assert (rule.calibration, rule.every, rule.max_loss) == (60, 1, 0.1)
    full = simulate(model, x, timesteps=T)
    early = simulate(model, x, timesteps=T, early_exit=rule)
    assert np.mean(early.outputs["label"] != full.outputs["label"]) <= 0.1
    assert early.mean_timesteps < T


def test_what_cannot_be_is_refused() -> None:
    model, x = conv_net(), images(5)
    with pytest.raises(SimulationError, match="at least 199 samples"):
        tune_early_exit(model, x, max_loss=0.005, timesteps=T)
    with pytest.raises(SimulationError, match="nothing can leave"):
        tune_early_exit(model, x, every=8, timesteps=T)
    with pytest.raises(SimulationError, match="no share"):
        tune_early_exit(model, x, max_loss=1.0, timesteps=T)
    with pytest.raises(SimulationError, match="no rule 'luck'"):
        EarlyExit("luck", 0.5)
    with pytest.raises(SimulationError, match="at least 1"):
        EarlyExit("margin", 0.5, 0)
    with pytest.raises(SimulationError, match="fixed size 1"):
        simulate(to_scan(model), x, timesteps=T, early_exit=EarlyExit("margin", 0.5))
    with pytest.raises(SimulationError, match="does not classify"):
        simulate(lift_net(), tokens(2), timesteps=T, early_exit=EarlyExit("margin", 0.5))

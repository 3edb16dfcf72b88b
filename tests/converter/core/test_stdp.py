"""The plasticity rule, pair by pair, and the leaky layer that it trains."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import draw, run
from tests.nets import CONV_BN_RELU, MLP, build

from onnx2snn.converter import add_leaky_read_out, convert
from onnx2snn.converter.exporters import export
from onnx2snn.converter.read_outs.stdp import StdpRule, train_stdp
from onnx2snn.ir.errors import DataError, ExportError, UnsupportedOpError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime import simulate

RULE = StdpRule(potentiation=0.01, depression=-0.02, tau_plus=3.0, tau_minus=5.0)


def trains(*times: tuple[int, ...], timesteps: int = 8) -> np.ndarray:
    """Spike trains of one sample [T, 1, K]; spikes at the given timesteps of each input."""
    spikes = np.zeros((timesteps, 1, len(times)), np.float32)
    for k, at in enumerate(times):
        spikes[list(at), 0, k] = 1
    return spikes


def all_pairs(before: np.ndarray, after: np.ndarray, rule: StdpRule) -> float:
    """Equation 19 as it is written: the sum over all pairs of spikes."""
    total = 0.0
    for post in np.flatnonzero(after):
        for pre in np.flatnonzero(before):
            x = post - pre
            if x > 0:
                total += rule.potentiation * np.exp(-x / rule.tau_plus)
            elif x < 0:
                total += rule.depression * np.exp(x / rule.tau_minus)
    return total


def test_traces_equal_the_sum_over_all_pairs() -> None:
    """Neuron 0 fires with input 0 alone; input 1 is too weak and learns from it."""
    spikes = trains((1, 3, 6), (0, 2, 3, 7))
    weights = np.array([[0.9, 0.1], [0.5, 0.5]])
    found = train_stdp(spikes, weights, threshold=0.8, leak=0.0, rule=RULE)
    fired = spikes[:, 0, 0]  # 0.9 >= 0.8, with or without the 0.1
    raw = weights[0] + [all_pairs(spikes[:, 0, k], fired, RULE) for k in (0, 1)]
    expected = np.clip(raw, 0, 1)
    np.testing.assert_allclose(found[0], expected / expected.sum(), rtol=1e-9)


def test_what_comes_first_is_strengthened_and_what_comes_late_is_not() -> None:
    """Three inputs of equal weight; the neuron fires at 2, with the second."""
    spikes = trains((1,), (2,), (3,))
    found = train_stdp(spikes, np.full((1, 3), 1 / 3), threshold=0.5, leak=1.0, rule=RULE)[0]
    assert found[0] > found[1] > found[2]


def test_weights_stay_bounded_and_normalised_and_without_spikes_as_they_are() -> None:
    rng = np.random.default_rng(0)
    busy = (rng.random((40, 30, 5)) < 0.4).astype(np.float32)
    found = train_stdp(busy, np.eye(5), threshold=0.5, leak=0.9)
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_allclose(found.sum(axis=1), 1)
    silent = np.zeros((10, 4, 5), np.float32)
    np.testing.assert_array_equal(train_stdp(silent, np.eye(5), threshold=0.5, leak=0.9), np.eye(5))


@pytest.mark.parametrize("preset", ["ternary", "rate"])
def test_the_file_counts_the_spikes_of_the_trained_layer(preset: str) -> None:
    ann = build(MLP)
    x = draw(ann, 24)
    model, _ = convert(ann, calibration=x, preset=preset, read_out="lif-stdp", leak=0.8)
    assert SpikingModel.from_bytes(model.to_bytes()).to_bytes() == model.to_bytes()
    assert "24 samples" in model.manifest.read_out
    told = simulate(model, x, record="spikes")
    pre, post = told.layers["y/count"].spikes, told.layers["y/leaky"].spikes
    weights = np.asarray(model.initializers["y/leaky/weights"], np.float64).T
    counted, _ = convert(ann, calibration=x, preset=preset, read_out="spike-count")
    np.testing.assert_array_equal(
        simulate(counted, x, record="spikes").layers["y/count"].spikes, pre
    )
    expected = train_stdp(pre, np.eye(3), threshold=0.5, leak=0.8)
    np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(weights - np.eye(3)).max() > 0.01
    potential, fired = np.zeros(pre.shape[1:]), []
    for arriving in pre:
        membrane = 0.8 * potential + arriving @ weights.T
        fired.append(membrane >= 0.5)
        potential = membrane - 0.5 * fired[-1]
    # A potential within float32 rounding of the threshold may fall on either side.
    assert (np.array(fired) != post).mean() < 0.01
    scores = run(model, x, model.manifest.timesteps)["y"]
    assert (scores.argmax(1) == post.sum(0).argmax(1)).all()
    assert told.events > 0


def test_is_refused_where_a_leaky_layer_makes_no_sense() -> None:
    for preset in ("graded", "fast"):
        with pytest.raises(DataError, match="lif-stdp"):
            convert(build(MLP), preset=preset, read_out="lif-stdp")
    counted, _ = convert(build(MLP), calibration=draw(build(MLP)), preset="ternary")
    with pytest.raises(UnsupportedOpError, match="unit spikes of output neurons"):
        add_leaky_read_out(counted, [draw(build(MLP))])
    images = """
    images (float[N,3,8,8] x) => (float[N,4,8,8] y) <float[4,3,3,3] w, float[4,4,1,1] v> {
        [conv] h = Conv <pads = [1, 1, 1, 1]> (x, w)
        [relu] r = Relu (h)
        [last] y = Conv (r, v)
    }
    """
    with pytest.raises(UnsupportedOpError, match=r"\[N, 4, 8, 8\]"):
        convert(build(images), calibration=draw(build(images)), preset="rate", read_out="lif-stdp")


@pytest.mark.parametrize(
    ("knobs", "advice"),
    [
        ({"read_out": "lif-stdp"}, "read_out='spike-count'"),
        ({"input_coding": "poisson"}, "input_coding='bit-planes'"),
        ({"input_coding": "latency"}, "input_coding='bit-planes'"),
    ],
)
def test_exporters_say_what_to_do_instead(knobs: dict[str, str], advice: str, tmp_path) -> None:
    ann = build(CONV_BN_RELU)
    model, _ = convert(ann, calibration=draw(ann), preset="ternary", **knobs)
    with pytest.raises(ExportError) as caught:
        export(model, to="nir", output=tmp_path / "net.nir", allow_losses=True)
    assert any(advice in str(finding) for finding in caught.value.findings)
    assert export(model, to="step", output=tmp_path / "net.step.onnx").size > 0

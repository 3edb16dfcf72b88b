"""Frames of spikes that change with the timestep, as an event camera gives them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.nets import MLP, build

from onnx2snn.converter import convert
from onnx2snn.ir.session import Session
from onnx2snn.runtime import Simulator, simulate

TIMESTEPS = 400


def frames(seed: int = 0) -> np.ndarray:
    """Spikes [T, N, 6] with values -1, 0 and 1, at a rate of its own for every input."""
    rng = np.random.default_rng(seed)
    rates = rng.uniform(-0.8, 0.8, (1, 5, 6))
    fired = rng.random((TIMESTEPS, 5, 6)) < np.abs(rates)
    return (fired * np.sign(rates)).astype(np.float32)


@pytest.mark.parametrize("coding", ["bit-planes", "poisson"])
def test_spikes_reach_the_network_as_they_are(coding: str) -> None:
    events = frames()
    ann = build(MLP)
    knobs = {"preset": "rate", "timesteps": TIMESTEPS, "bias_correction": False}
    analog, coded = (
        Simulator(convert(ann, calibration=events[:40, 0], input_coding=c, **knobs)[0])
        for c in ("direct", coding)
    )
    for frame in events:
        expected, found = analog.step(frame)["y"], coded.step(frame)["y"]
        # Spikes are sums of the same numbers, but bit-planes round each sum to its own grid.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    exact = Session(ann).run({"x": events.mean(axis=0)})["y"]
    # Binary neurons cannot take back what they fired on a frame that later frames average out.
    np.testing.assert_allclose(found, exact, atol=0.2 * np.abs(exact).max())


def test_each_spike_is_one_event_and_zero_is_silent() -> None:
    events = frames()
    model, _ = convert(build(MLP), calibration=events[:40, 0], preset="graded")
    frame = events[3]
    record = simulate(model, frame, record="spikes").layers["x/encoder"]
    np.testing.assert_array_equal(record.spikes.sum(axis=0), frame)
    assert record.events.sum() == np.abs(frame).sum()

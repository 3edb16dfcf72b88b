"""Benchmark nets fire at the rate that is asked for, and compute what their ANN does."""

from __future__ import annotations

import numpy as np
import pytest
from firing_nets import NETS, firing_net

from onnx2snn.ir.session import Session
from onnx2snn.runtime.runs.simulate import simulate


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_every_layer_fires_at_the_rate(rate: float) -> None:
    net = firing_net("mlp", rate, timesteps=16)
    unseen = net.samples[4:12]
    run = simulate(net.model, unseen, timesteps=16, record="counts")
    assert len(run.layers) == 2
    for layer in run.layers.values():
        fired = layer.events.sum() / (16 * layer.counts.size)
        assert fired == pytest.approx(rate, rel=0.2)  # other samples than the measured ones


def test_the_ann_has_the_same_signature() -> None:
    net = firing_net("mlp", timesteps=4)
    outputs = Session(net.ann).run({"image": net.samples[:3]})
    spiking = simulate(net.model, net.samples[:3]).outputs
    assert {name: value.shape for name, value in spiking.items()} == {
        name: value.shape for name, value in outputs.items()
    }
    assert all(np.isfinite(value).all() for value in spiking.values())


def test_the_shapes_of_the_issue_are_there() -> None:
    assert set(NETS) == {"mlp", "resnet20", "vgg16"}

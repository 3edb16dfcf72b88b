"""The parts of the spiking ResNet (Hu, Tang and Pan 2018) as knobs of a conversion."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import draw, run
from onnx import numpy_helper
from tests.nets import CONV_BN_RELU, RESIDUAL, build

from onnx2snn.converter.convert import convert
from onnx2snn.converter.corrections.compensation import enlarged
from onnx2snn.ir.ops import IntegrateFire
from onnx2snn.ir.session import Session
from onnx2snn.runtime import simulate

OPTIONS = {"preset": "rate", "timesteps": 32, "bias_correction": False, "granularity": "layer"}


def constant(model, name: str) -> np.ndarray:
    return next(numpy_helper.to_array(t) for t in model.proto.graph.initializer if t.name == name)


def test_unit_spikes_normalise_convolution_and_shortcut_jointly() -> None:
    """W' = W theta_in / theta_out; the identity becomes theta_in / theta_out."""
    ann = build(RESIDUAL)
    feeds = draw(ann, 16)
    plain, _ = convert(ann, calibration=feeds, **OPTIONS)
    unit, _ = convert(ann, calibration=feeds, unit_spikes=True, **OPTIONS)
    theta = {layer.name: layer.quantum for layer in plain.neurons}
    assert all((layer.quantum == 1).all() for layer in unit.neurons)
    nodes = {node.output[0]: node for node in unit.proto.graph.node}
    last = next(layer for layer in unit.neurons if layer.name == "relu2")
    branches = [nodes[name] for name in nodes[last.input].input]
    conv = next(node for node in branches if node.op_type == "Conv")
    identity = next(node for node in branches if node.op_type == "Mul")
    source = next(layer.name for layer in unit.neurons if layer.output == identity.input[0])
    inner = next(layer.name for layer in unit.neurons if layer.output == conv.input[0])
    shortcut = constant(unit, identity.input[1])
    np.testing.assert_allclose(
        shortcut.ravel(), (theta[source] / theta["relu2"]).ravel()[0], rtol=1e-6
    )
    before = next(n for n in plain.proto.graph.node if n.output[0] == conv.output[0])
    np.testing.assert_allclose(
        constant(unit, conv.input[1]),
        constant(plain, before.input[1]) * (theta[inner] / theta["relu2"]).ravel()[0],
        rtol=1e-5,
    )
    first, second = (simulate(m, feeds, record="counts") for m in (plain, unit))
    for name in theta:
        same = first.layers[name].counts == second.layers[name].counts
        assert same.mean() > 0.999  # rounding of the folded weights at the threshold


def test_pool_neurons_stand_behind_average_pools_and_are_binary() -> None:
    ann = build(CONV_BN_RELU)
    feeds = draw(ann, 16)
    without, _ = convert(ann, calibration=feeds, **OPTIONS)
    model, report = convert(ann, calibration=feeds, pool_neurons=True, **OPTIONS)
    assert len(model.neurons) == len(without.neurons) + 1
    (added,) = (n for n in model.neurons if n.name not in {m.name for m in without.neurons})
    assert isinstance(added.op, IntegrateFire)
    expected = Session(ann).run(feeds)["y"]
    error = np.linalg.norm(run(model, feeds, 256)["y"] - expected) / np.linalg.norm(expected)
    assert error < 0.1
    assert report.neuron_layers == len(model.neurons)


@pytest.mark.parametrize("factor", [1.0, 1.25])
def test_enlarging_multiplies_the_input_of_every_layer(factor: float) -> None:
    """A count under factor k is k times the count, up to rounding and to one spike a timestep."""
    ann = build(CONV_BN_RELU)
    feeds = draw(ann, 8)
    model, _ = convert(ann, calibration=feeds, **OPTIONS)
    larger = enlarged(model, factor)
    (layer,) = (layer for layer in model.neurons if layer.name == "relu")
    counts = simulate(larger, feeds, record="counts").layers["relu"].counts
    few = simulate(model, feeds, record="counts").layers["relu"].counts
    room = few < 32 / factor  # the others cannot emit more than one spike a timestep
    assert np.abs(counts - few * factor)[room].max() <= 1.0 + factor
    assert layer.quantum.size


def test_compensation_never_worsens_the_calibration_data() -> None:
    ann = build(RESIDUAL)
    feeds = draw(ann, 32)
    options = {**OPTIONS, "timesteps": 8, "initial_potential": 0.0}
    plain, _ = convert(ann, calibration=feeds, **options)
    model, report = convert(ann, calibration=feeds, compensation=True, **options)
    (told,) = (f for f in report.manifest.findings if f.code == "compensation")
    assert told.message.startswith("all weights are enlarged by 1")
    expected = Session(ann).run(feeds)["y"]
    flat = expected.reshape(len(expected), -1)
    losses = [
        float((run(m, feeds, 8)["y"].reshape(flat.shape).argmax(1) != flat.argmax(1)).mean())
        if flat.shape[1] > 1 and expected.ndim == 2
        else float(np.linalg.norm(run(m, feeds, 8)["y"] - expected))
        for m in (plain, model)
    ]
    assert losses[1] <= losses[0]

"""Forward temporal bias correction and the shift theta/(2T), as knobs of a conversion."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from conversions import draw, run
from onnx import helper
from tests.nets import CONV_BN_RELU, LEAKY, MAXPOOL, MLP, RESIDUAL, build

from onnx2snn.converter.convert import convert
from onnx2snn.ir.errors import DataError
from onnx2snn.ir.session import Session
from onnx2snn.runtime import evaluate, simulate

T = 16
OPTIONS = {"preset": "rate", "timesteps": T}


def activations(ann: onnx.ModelProto, tensors: list[str], feeds) -> dict[str, np.ndarray]:
    """The ANN's own activations by tensor."""
    opened = onnx.ModelProto()
    opened.CopyFrom(ann)
    opened.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in tensors)
    return Session(opened).run(feeds, tensors)


@pytest.mark.parametrize("text", [MLP, CONV_BN_RELU, RESIDUAL, LEAKY])
def test_the_mean_error_of_the_timesteps_shrinks(text: str) -> None:
    ann = build(text)
    feeds = draw(ann, 48)
    worst = []
    for corrected in (False, True):
        model, _ = convert(ann, calibration=feeds, temporal_bias=corrected, **OPTIONS)
        layers = [layer for layer in model.neurons if "encoder" not in layer.name]
        wanted = activations(ann, [layer.output for layer in layers], feeds)
        trains = simulate(model, feeds, timesteps=T, record="spikes").layers
        gaps = []
        for layer in layers:
            axes = tuple(i for i in range(wanted[layer.output].ndim) if i != 1)
            steps = trains[layer.name].spikes * layer.quantum
            found = np.stack([step.mean(axis=axes) for step in steps])
            gaps.append(float(((found - wanted[layer.output].mean(axis=axes)) ** 2).mean()))
        worst.append(max(gaps))
    assert worst[1] < 0.7 * worst[0]


def test_a_longer_run_goes_on_without_the_table() -> None:
    ann = build(RESIDUAL)
    feeds = draw(ann, 16)
    model, _ = convert(ann, calibration=feeds, temporal_bias=True, **OPTIONS)
    expected = Session(ann).run(feeds)["y"]
    gap = np.linalg.norm(run(model, feeds, 8 * T)["y"] - expected) / np.linalg.norm(expected)
    assert gap < 0.1


def test_the_table_is_no_layer_and_costs_no_synaptic_operation() -> None:
    """Rows of zeros: the same spikes, events and synaptic operations as without the operator."""
    ann = build(MAXPOOL)
    feeds = draw(ann, 8)
    free, _ = convert(ann, calibration=feeds, bias_correction=False, **OPTIONS)
    blank, _ = convert(ann, calibration=feeds, bias_correction=False, temporal_bias=True, **OPTIONS)
    for tensor in blank.proto.graph.initializer:
        if tensor.name.endswith("/table"):
            tensor.raw_data = bytes(len(tensor.raw_data))
    accounts = [evaluate(model, ann, feeds, timesteps=(T,)) for model in (free, blank)]
    assert accounts[0].curve == accounts[1].curve
    assert accounts[0].layers == accounts[1].layers
    assert accounts[0].energy == accounts[1].energy


@pytest.mark.parametrize("backend", ["reference", "event"])
def test_every_backend_gives_the_same_spikes(backend: str) -> None:
    ann = build(RESIDUAL)
    feeds = draw(ann, 4)
    model, _ = convert(ann, calibration=feeds, temporal_bias=True, **OPTIONS)
    ours = simulate(model, feeds, timesteps=T, record="spikes")
    theirs = simulate(model, feeds, timesteps=T, record="spikes", backend=backend)
    for name, layer in ours.layers.items():  # sums in another order, ties
        assert (layer.spikes == theirs.layers[name].spikes).mean() > 0.999


def test_it_needs_an_input_at_every_timestep() -> None:
    with pytest.raises(DataError, match="temporal_bias"):
        convert(build(MLP), preset="ternary", temporal_bias=True)


@pytest.mark.parametrize("preset", ["rate", "ternary"])
def test_the_shift_as_current_ends_at_the_counts_of_the_shift_as_potential(preset: str) -> None:
    """Behind one layer and a steady input: equal outputs after T, or at rest."""
    ann = build(MLP)
    feeds = draw(ann, 32)
    options = {"calibration": feeds, "preset": preset, "bias_correction": False}
    as_potential, _ = convert(ann, **options)
    as_current, _ = convert(ann, shift="bias", **options)
    steps = as_potential.manifest.timesteps if preset == "rate" else 200
    first, second = (run(model, feeds, steps)["y"] for model in (as_potential, as_current))
    np.testing.assert_allclose(first, second, atol=1e-4)  # sums of float32 in two orders
    assert not np.array_equal(
        as_potential.initializers["relu1/current"], as_current.initializers["relu1/current"]
    )

"""The knob ``input_coding``: what the network receives, in words, in events and in value."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from conversions import draw, run, run_settled
from tests.nets import CONV_BN_RELU, MLP, build

from onnx2snn.converter import Preset, convert, find_preset
from onnx2snn.converter.check import check
from onnx2snn.converter.input_codings import INPUT_CODINGS, input_coder
from onnx2snn.converter.presets import InputCoding
from onnx2snn.ir.errors import DataError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors
from onnx2snn.runtime import evaluate, simulate


def images(model: onnx.ModelProto, samples: int = 12) -> np.ndarray:
    """Samples on an 8-bit grid with an offset, as normalised images are."""
    shape = draw(model, samples)["x"].shape
    pixels = np.random.default_rng(3).integers(0, 256, shape)
    pixels.flat[:2] = (0, 255)
    return ((pixels / 255 - 0.25) / 0.5).astype(np.float32)


def encoder(model: SpikingModel) -> str:
    return next(f.node for f in model.manifest.nodes if f.fate == "input")


def test_every_coding_has_a_file_and_a_word() -> None:
    assert {coder.name for coder in INPUT_CODINGS} == set(InputCoding.__args__)
    ternary = find_preset("ternary")
    for coder in INPUT_CODINGS:
        preset = ternary.model_copy(update={"input_coding": coder.name})
        assert input_coder(preset) is coder
        model, _ = convert(build(MLP), calibration=draw(build(MLP)), preset=preset)
        assert model.manifest.input_coding.startswith(coder.title)
        assert check(build(MLP), preset=preset).convertible


@pytest.mark.parametrize("net", [MLP, CONV_BN_RELU])
@pytest.mark.parametrize("coding", [coder.name for coder in INPUT_CODINGS])
def test_the_network_receives_the_value(net: str, coding: str) -> None:
    """Over many timesteps the spikes stand for the pixels, so the outputs become the ANN's."""
    ann = build(net)
    x = images(ann)
    graded, _ = convert(ann, calibration=x, preset="graded", stimulus=512, input_coding=coding)
    exact = Session(ann).run({"x": x})["y"]
    found = run(graded, {"x": x}, 600)["y"]
    scale = np.abs(exact).max()
    # Poisson: the noise of 512 coin flips a pixel; latency: half of one slot in 512.
    np.testing.assert_allclose(found, exact, atol=scale * (0.2 if coding == "poisson" else 0.01))
    np.testing.assert_allclose(run_settled(graded, {"x": x}, 600)["y"], exact, atol=scale * 0.01)


def test_poisson_is_seeded_and_counted() -> None:
    ann = build(MLP)
    x = images(ann)
    made = [
        convert(ann, calibration=x, preset="rate", timesteps=64, input_coding="poisson", seed=s)[0]
        for s in (0, 0, 1)
    ]
    assert made[0].to_bytes() == made[1].to_bytes()
    outputs = [run(model, {"x": x}, 64)["y"] for model in made]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0] - outputs[2]).max() > 0
    record = simulate(made[0], x, record="spikes").layers[encoder(made[0])]
    assert set(np.unique(record.spikes)) == {0, 1}
    assert record.events.sum() == record.spikes.sum()
    p = (x - x.min()) / (x.max() - x.min())
    assert abs(record.events.sum() / (64 * p.size) - p.mean()) < 0.05


def test_latency_is_one_event_per_input() -> None:
    ann = build(MLP)
    x = images(ann)
    model, _ = convert(ann, calibration=x, preset="ternary", input_coding="latency")
    record = simulate(model, x, record="spikes").layers[encoder(model)]
    fired = record.spikes != 0
    assert fired.sum(axis=0).max() == 1
    assert record.events.sum() == fired.sum()
    bright = x > np.median(x)
    first = fired.argmax(axis=0)
    assert first[bright & fired.any(0)].max() <= first[~bright & fired.any(0)].min()
    told = evaluate(model, ann, x)
    assert "32 slots" in told.input_coding
    assert "error <= 1/64" in told.input_coding
    assert told.layers[0].events_per_neuron <= 1


def test_signed_data_gives_spikes_of_either_sign() -> None:
    ann = build(MLP)
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    for coding in ("poisson", "latency"):
        model, _ = convert(ann, calibration=x, preset="ternary", input_coding=coding)
        spikes = simulate(model, x, record="spikes").layers[encoder(model)].spikes
        assert (spikes > 0).any()
        assert (spikes < 0).any()
        assert not model.manifest.findings


@pytest.mark.parametrize(
    ("preset", "coding", "message"),
    [("graded", "poisson", "more than one stimulus step"), ("rate", "latency", "fixed number")],
)
def test_refuses_a_stimulus_that_does_not_fit(preset: str, coding: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        convert(build(MLP), preset=preset, input_coding=coding)
    assert "stimulus" in caught.value.remedy


def test_bias_correction_does_not_learn_the_noise_of_a_seed() -> None:
    """Two seeds give files that differ in the seed alone."""
    ann = build(MLP)
    x = images(ann)

    def currents(seed: int) -> Tensors:
        model, _ = convert(ann, calibration=x, preset="rate", input_coding="poisson", seed=seed)
        return {n: v for n, v in model.initializers.items() if "seed" not in n}

    first, second = currents(0), currents(1)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])


def test_slots_are_a_knob() -> None:
    preset = Preset(name="mine", summary="", timesteps=8, input_coding="latency", input_window=5)
    model, _ = convert(build(MLP), calibration=draw(build(MLP)), preset=preset)
    assert "5 slots" in model.manifest.input_coding

"""The knob ``read_out``: accumulated current, or spikes counted."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import draw, run, run_settled
from tests.nets import MLP, build

from onnx2snn.converter import convert
from onnx2snn.ir.ops import IntegrateFire
from onnx2snn.ir.session import Session
from onnx2snn.runtime import evaluate, simulate

TWO_HEADS = """
two_heads (float[N,6] x) => (float[N,3] y, float[N,3] p, float[N,8] r)
    <float[6,8] w1, float[8,3] w2, float[3] b2>
{
    [fc1] h = MatMul (x, w1)
    [relu1] r = Relu (h)
    [fc2] y = Gemm (r, w2, b2)
    [softmax] p = Softmax (y)
}
"""


@pytest.mark.parametrize("preset", ["graded", "ternary", "rate"])
def test_the_outputs_are_spike_counts_in_quanta(preset: str) -> None:
    ann = build(MLP)
    x = draw(ann, 20)
    model, _ = convert(ann, calibration=x, preset=preset, read_out="spike-count")
    (layer,) = (layer for layer in model.neurons if layer.name == "y/count")
    assert layer.quantum.size == 1 or len(np.unique(layer.quantum)) == 1
    stimulus = model.stimulus_steps(model.manifest.timesteps)
    simulation = simulate(model, x, record="counts")
    counts = simulation.layers["y/count"].counts
    expected = counts * float(layer.quantum.flat[0]) / stimulus
    # The stream is summed in float32, spike by spike.
    np.testing.assert_allclose(simulation.outputs["y"], expected, rtol=1e-5, atol=1e-6)
    assert counts.any()
    assert "spike count" in model.manifest.read_out
    assert "spike count" in evaluate(model, ann, x["x"]).read_out


@pytest.mark.parametrize("preset", ["graded", "ternary"])
def test_signed_counts_end_at_the_outputs(preset: str) -> None:
    ann = build(MLP)
    x = draw(ann, 20)
    exact = Session(ann).run(x)["y"]
    model, _ = convert(ann, calibration=x, preset=preset, read_out="spike-count")
    found = run(model, x, 300)["y"]
    np.testing.assert_allclose(found, run_settled(model, x)["y"], rtol=1e-5, atol=1e-6)
    # What input and layers in front are rounded to, seen at the outputs, and one count.
    share = 5e-3 if preset == "graded" else 0.1
    np.testing.assert_allclose(found, exact, atol=share * np.abs(exact).max())


def test_binary_neurons_count_what_is_positive() -> None:
    ann = build(MLP)
    x = draw(ann, 20)
    model, _ = convert(ann, calibration=x, preset="rate", read_out="spike-count")
    (layer,) = (layer for layer in model.neurons if layer.name == "y/count")
    assert isinstance(layer.op, IntegrateFire)
    exact = Session(ann).run(x)["y"]
    found = run(model, x, 512)["y"]
    assert (found >= 0).all()
    np.testing.assert_allclose(found, np.maximum(exact, 0), atol=0.1 * np.abs(exact).max())


def test_what_follows_works_on_counts_and_spikes_are_counted_as_they_are() -> None:
    ann = build(TWO_HEADS)
    x = draw(ann, 20)
    model, _ = convert(ann, calibration=x, preset="graded", read_out="spike-count")
    assert [layer.name for layer in model.neurons if "count" in layer.name] == ["y/count"]
    found, exact = run(model, x, 40), Session(ann).run(x)
    assert set(found) == {"y", "p", "r"}
    for name, value in exact.items():
        np.testing.assert_allclose(found[name], value, atol=1e-2 * max(1, np.abs(value).max()))

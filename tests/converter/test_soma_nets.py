"""Every activation as a neuron: at silence the quantised ANN, and close to the ANN itself."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from tests.nets import build

from onnx2snn.converter.activations import match_activation
from onnx2snn.converter.convert import convert
from onnx2snn.converter.execution import Execution
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session

TEXT = """
net (float[N,6] x) => (float[N,3] y)
    <float[6,16] w1, float[16] b1, float[16,3] w2, float[3] b2, float low = {-0.5},
     float high = {0.75}, float above = {0.25}, float half = {0.5}, float zero = {0},
     float one = {1}, float eight = {8}>
{
    [fc1] z = Gemm (x, w1, b1)
    NODE
    [fc2] y = Gemm (r, w2, b2)
}
"""

# What is written; then least and greatest value, and whether max-pooling commutes with it.
WRITTEN = {
    "Sigmoid": ("[f] r = Sigmoid (z)", 0.0, 1.0, True),
    "HardSigmoid": ("[f] r = HardSigmoid <alpha = 0.3, beta = 0.4> (z)", 0.0, 1.0, True),
    "Tanh": ("[f] r = Tanh (z)", -1.0, 1.0, True),
    "Softsign": ("[f] r = Softsign (z)", -1.0, 1.0, True),
    "Elu": ("[f] r = Elu <alpha = 0.7> (z)", -0.7, np.inf, True),
    "Elu_falling": ("[f] r = Elu <alpha = -0.7> (z)", 0.0, np.inf, False),
    "Selu": ("[f] r = Selu (z)", -1.0507 * 1.67326, np.inf, True),
    "Celu": ("[f] r = Celu <alpha = 0.6> (z)", -0.6, np.inf, True),
    "Softplus": ("[f] r = Softplus (z)", 0.0, np.inf, True),
    "HardSwish": ("[f] r = HardSwish (z)", -0.375, np.inf, False),
    "Mish": ("[f] r = Mish (z)", -0.30884, np.inf, False),
    "Gelu": ("[f] r = Gelu (z)", -0.16997, np.inf, False),
    "Gelu_tanh": ('[f] r = Gelu <approximate = "tanh"> (z)', -0.17004, np.inf, False),
    "ThresholdedRelu": ("[f] r = ThresholdedRelu <alpha = 0.25> (z)", 0.0, np.inf, True),
    "Clip": ("[f] r = Clip (z, low, high)", -0.5, 0.75, True),
    "Clip_from_below": ("[f] r = Clip (z, low)", -0.5, np.inf, True),
    "Clip_from_above": ("[f] r = Clip (z, , high)", -np.inf, 0.75, True),
    "Clip_above_zero": ("[f] r = Clip (z, above, high)", 0.25, 0.75, True),
}
COMPOSED = {
    "Silu": "[g] g = Sigmoid (z) \n [f] r = Mul (z, g)",
    "ClipFloor": (
        "a = Div (z, half) \n b = Clip (a, zero, one) \n c = Mul (b, eight) \n d = Add (c, half)"
        "\n e = Floor (d) \n g = Div (e, eight) \n [f] r = Mul (g, half)"
    ),
}


def samples(count: int, seed: int) -> dict[str, np.ndarray]:
    grid = np.random.default_rng(seed).integers(-64, 65, (count, 6))
    return {"x": (grid / 32).astype(np.float32)}


def values(model: SpikingModel, feeds: dict[str, np.ndarray], timesteps: int) -> np.ndarray:
    clock = {model.timesteps_input: np.array(timesteps, np.int64)}
    return np.asarray(Session(model.proto).run({**feeds, **clock})["y"])


def ann(text: str) -> onnx.ModelProto:
    return build(TEXT.replace("NODE", text))


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_rule(written: tuple[str, float, float, bool]) -> None:
    text, lower, upper, monotone = written
    nodes = gs.import_onnx(ann(text)).nodes
    activation = match_activation(next(node for node in nodes if node.name == "f"))
    assert activation is not None
    assert activation.lower == pytest.approx(lower, abs=1e-5)
    assert activation.upper == pytest.approx(upper, abs=1e-5)
    assert activation.monotone == monotone


ALL = {name: written[0] for name, written in WRITTEN.items()} | COMPOSED


@pytest.mark.parametrize("preset", ["graded", "ternary", "rate"])
@pytest.mark.parametrize("text", ALL.values(), ids=ALL.keys())
def test_settles_at_the_quantised_ann(text: str, preset: str) -> None:
    source = ann(text)
    model, _ = convert(source, calibration=samples(128, 0), preset=preset)
    assert [layer.name for layer in model.neurons][-1] == "f"
    feeds = samples(64, 1)
    expected = np.asarray(Execution(source).run(feeds)["y"])
    found = values(model, feeds, {"graded": 24, "ternary": 160, "rate": 256}[preset])
    scale = np.abs(expected).max()
    if preset != "rate":
        settled = Session(settle(model)).run(feeds)["y"]
        # Streams are summed in another order than values: ties between quanta may fall apart.
        apart = np.abs(found - settled) > 1e-4 * scale
        assert apart.mean() <= 0.02
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert error <= {"graded": 0.005, "ternary": 0.1, "rate": 0.1}[preset]


def test_a_silent_network_still_tells_what_is_not_zero_at_zero() -> None:
    """sigmoid(0) is not 0: the neuron says so at the first timestep and never again."""
    model, _ = convert(ann("[f] r = Sigmoid (z)"), calibration=samples(128, 0))
    feeds = {"x": np.zeros((1, 6), np.float32)}
    settled = Session(settle(model)).run(feeds)["y"]
    np.testing.assert_allclose(values(model, feeds, 12), settled, rtol=1e-6)


def test_steps_of_the_ann_are_those_of_the_neuron() -> None:
    model, _ = convert(ann(COMPOSED["ClipFloor"]), calibration=samples(128, 0), preset="ternary")
    layer = model.neurons[-1]
    (quantum,) = (item for item in model.proto.graph.initializer if item.name == "f/quantum")
    (highest,) = (item for item in model.proto.graph.initializer if item.name == "f/n_max")
    stimulus = model.stimulus_steps(32)
    np.testing.assert_allclose(onnx.numpy_helper.to_array(quantum), stimulus * 0.5 / 8)
    assert float(onnx.numpy_helper.to_array(highest)) == 8
    assert layer.name == "f"

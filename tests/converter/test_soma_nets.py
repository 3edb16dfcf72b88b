"""Every activation as a neuron: at silence the quantised ANN, and close to the ANN itself."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from tests.nets import build

from onnx2snn.converter.activations import match_activation
from onnx2snn.converter.convert import convert
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session

TEXT = """
net (float[N,6] x) => (float[N,3] y)
    <float[6,16] w1, float[16] b1, float[16,3] w2, float[3] b2, float low = {-0.5},
     float high = {0.75}, float above = {0.25}, float half = {0.5}, float zero = {0},
     float one = {1}, float eight = {8}, float minus = {-1}>
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
    "LeakyClipFloor": (
        "l = LeakyRelu <alpha = 0.25> (z) \n a = Div (l, half) \n b = Clip (a, minus, one)"
        "\n c = Mul (b, eight) \n d = Round (c) \n e = Div (d, eight) \n [f] r = Mul (e, half)"
    ),
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


IN_RATE = ("Sigmoid", "Elu", "Softplus", "Silu", "Clip", "ClipFloor", "LeakyClipFloor")
CASES = [(name, preset) for name in ALL for preset in ("graded", "ternary")]
CASES += [(name, "rate") for name in IN_RATE]


@pytest.mark.parametrize(("name", "preset"), CASES)
def test_settles_at_the_quantised_ann(name: str, preset: str) -> None:
    source = ann(ALL[name])
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


@pytest.mark.parametrize("preset", ["graded", "fast", "ternary"])
@pytest.mark.parametrize("name", ["ClipFloor", "LeakyClipFloor"])
def test_a_quantised_ann_is_met_exactly(name: str, preset: str) -> None:
    source = ann(COMPOSED[name])
    model, _ = convert(source, calibration=samples(128, 0), preset=preset)
    feeds = samples(512, 1)
    expected = np.asarray(Execution(source).run(feeds)["y"])
    found = values(model, feeds, 48)
    # A sum that lies on the edge of a step may be rounded to either side of it.
    same = np.isclose(found, expected, rtol=1e-4, atol=1e-5).all(axis=1)
    assert same.mean() >= 0.99


@pytest.mark.parametrize(("op", "like"), [("QuickGelu", "Silu"), ("FastGelu", "GeluTanh")])
def test_fused_operators_of_onnxruntime(op: str, like: str) -> None:
    source = ann("[f] r = Identity (z)")
    node = next(node for node in source.graph.node if node.name == "f")
    node.op_type, node.domain = op, "com.microsoft"
    source.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    model, _ = convert(source, calibration=samples(128, 0))
    assert model.neurons[-1].op.name == f"GradedIntegrateFire_{like}"
    feeds = samples(64, 1)
    expected = np.asarray(Execution(source).run(feeds)["y"])
    error = np.linalg.norm(values(model, feeds, 24) - expected) / np.linalg.norm(expected)
    assert error <= 0.005


def test_the_last_sigmoid_stays_what_it_is() -> None:
    text = TEXT.replace("[fc2] y =", "[fc2] s =").replace(
        "(r, w2, b2)", "(r, w2, b2)\n [p] y = Sigmoid (s)"
    )
    model, _ = convert(build(text.replace("NODE", "[f] r = Relu (z)")), calibration=samples(128, 0))
    assert [layer.name for layer in model.neurons][-1] == "f"
    assert "Sigmoid" in [node.op_type for node in model.proto.graph.node]


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

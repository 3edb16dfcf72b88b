"""Full layers with int8 weights on a constant input: the bits of an integer model, everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from spiking_nets import sealed

from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, OPSET
from onnx2snn.ir.session import Session
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.engine.held_product import packed
from onnx2snn.runtime.engine.lowering import lower
from onnx2snn.runtime.engine.stream import ENGINE
from onnx2snn.runtime.native.library import custom_ops_path


def product(
    whole: NDArray[np.int8], scale: NDArray[np.float32], x: NDArray[np.float32], threads: int = 1
) -> NDArray[np.float32]:
    """Run the operator alone."""
    constants = {"weights": packed(whole), "scale": scale}
    graph = helper.make_graph(
        [helper.make_node("HeldProduct", ["x", *constants], ["y"], domain=ENGINE)],
        "alone",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "I"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", "O"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ENGINE, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = Session(model, threads=threads, library=custom_ops_path())
    return np.asarray(session.run({"x": x})["y"], np.float32)


def integer_model(
    whole: NDArray[np.int8], scale: NDArray[np.float32], x: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return (sum of whole numbers) * (w_o * a_n)."""
    step = np.abs(x).max(axis=1, keepdims=True) / np.float32(32767)
    inputs = np.rint(np.divide(x, step, out=np.zeros_like(x), where=step > 0))
    sums = inputs.astype(np.int64) @ whole.T.astype(np.int64)
    return sums.astype(np.float32) * (scale * step)


def some_layer(
    samples: int, inputs: int, outputs: int, kept: float = 0.4
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    """Return whole weights, scales and samples of which a share is not zero."""
    rng = np.random.default_rng([samples, inputs, outputs])
    whole = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    scale = rng.uniform(1e-4, 1e-2, outputs).astype(np.float32)
    x = rng.normal(0, 3, (samples, inputs)) * (rng.random((samples, inputs)) < kept)
    return whole, scale, x.astype(np.float32)


@pytest.mark.parametrize("samples", [1, 2, 3, 9, 100])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (7, 33), (64, 32), (513, 5), (1101, 97)])
def test_held_product_is_the_integer_model(
    isa: str, samples: int, inputs: int, outputs: int
) -> None:
    whole, scale, x = some_layer(samples, inputs, outputs)
    expected = integer_model(whole, scale, x)
    for threads in (1, 2):
        np.testing.assert_array_equal(product(whole, scale, x, threads), expected)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("inputs", [511, 512, 514, 1025, 4096])
def test_held_sums_of_the_largest_numbers_do_not_overflow(isa: str, inputs: int, sign: int) -> None:
    whole = np.full((40, inputs), 127, np.int8) * np.where(np.arange(40) % 3, 1, -1)[:, None]
    x = np.full((3, inputs), np.float32(32767 * sign))
    given = product(whole.astype(np.int8), np.ones(40, np.float32), x)
    column = 127 * 32767 * sign * inputs * np.where(np.arange(40) % 3, 1, -1)
    np.testing.assert_array_equal(given, np.tile(column.astype(np.float32), (3, 1)))


def test_held_samples_that_are_zero_or_have_no_scale_give_zero(isa: str) -> None:
    whole, scale, x = some_layer(11, 30, 40)
    x[[0, 4, 9]] = 0
    x[5] *= np.float32(1e-41)
    given = product(whole, scale, x)
    assert not np.any(given[[0, 4, 5, 9]])
    rest = [1, 2, 3, 6, 7, 8, 10]
    np.testing.assert_array_equal(given[rest], integer_model(whole, scale, x[rest]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_held_samples_that_are_not_finite_give_nan_alone(isa: str, value: float) -> None:
    whole, scale, x = some_layer(10, 31, 33)
    rest = np.arange(10) != 3
    expected = integer_model(whole, scale, x[rest])
    x[3, 17] = value
    given = product(whole, scale, x)
    assert np.all(np.isnan(given[3]))
    np.testing.assert_array_equal(given[rest], expected)


def test_held_product_of_a_large_batch_is_the_integer_model(isa: str) -> None:
    whole, scale, x = some_layer(1050, 40, 35)  # more samples than are held in memory at once
    np.testing.assert_array_equal(product(whole, scale, x, 2), integer_model(whole, scale, x))


def test_held_product_of_no_samples_is_empty(isa: str) -> None:
    whole, scale, x = some_layer(1, 30, 40)
    assert product(whole, scale, x[:0]).shape == (0, 40)


def test_held_weights_that_do_not_fit_are_refused(isa: str) -> None:
    whole, scale, x = some_layer(2, 30, 40)
    with pytest.raises(SimulationError, match="do not fit"):
        product(whole, scale, x[:, :20])


def mlp(weights: NDArray[np.float32], layer: str = "Gemm <transB = 1>") -> SpikingModel:
    """Return a full layer on a constant input, a neuron, and a full layer that is read out."""
    outputs = weights.shape[0 if "transB" in layer else 1]
    rng = np.random.default_rng(outputs)
    constants = {
        "w": weights,
        "theta": np.full((1, outputs), 1 / 4, np.float32),
        "zero": np.zeros((), np.float32),
        "most": np.array(99, np.float32),
        "out": rng.integers(-3, 4, (outputs, 4)).astype(np.float32),
        "o_c": np.zeros((1, 4), np.float32),
    }
    text = f"""
    held (float[N, 25] image, int64 timesteps) => (float[N, 4] values) {{
      shown = {DOMAIN}.DirectCurrent (image, timesteps, onnx2snn_stimulus)
      z1 = {layer} (shown, w)
      s1 = {DOMAIN}.IntegrateFire (z1, theta, zero, zero, most, timesteps, onnx2snn_stimulus)
      z2 = MatMul (s1, out)
      values = {DOMAIN}.ReadOut (z2, o_c, timesteps, onnx2snn_stimulus)
    }}"""
    return sealed(text, constants, stimulus=16)


def lowered(model: SpikingModel, *, int8: bool = True) -> list[str]:
    """Return the types of the nodes that the event engine runs."""
    return [node.op_type for node in lower(model.plain, int8=int8).graph.node]


LAYERS = ["Gemm <transB = 1>", "Gemm", "Gemm <alpha = -2.0>", "MatMul"]


@pytest.mark.parametrize("layer", LAYERS)
def test_held_layers_whose_numbers_are_whole_are_those_of_float32(isa: str, layer: str) -> None:
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, (25, 25)).astype(np.float32)
    np.fill_diagonal(weights, 127)  # the largest of each output: its scale is a power of two
    image = rng.integers(0, 1000, (9, 25)).astype(np.float32)
    image[:, 0] = 32767
    model = mlp(weights / 2**24, layer)
    assert lowered(model).count("HeldProduct") == 1
    feeds = {"image": image, "timesteps": np.array(16, np.int64)}
    whole = EventBackend(weights="int8").load(model.plain).run(feeds)
    floats = EventBackend().load(model.plain).run(feeds)
    assert np.any(floats["values"] != 0)
    np.testing.assert_array_equal(whole["values"], floats["values"])


def test_held_layers_agree_with_float32(isa: str) -> None:
    rng = np.random.default_rng(4)
    model = mlp(rng.normal(0, 0.1, (200, 25)).astype(np.float32))
    feeds = {"image": rng.random((100, 25), np.float32), "timesteps": np.array(64, np.int64)}
    whole = EventBackend(weights="int8").load(model.plain, threads=2).run(feeds)["values"]
    floats = EventBackend().load(model.plain, threads=2).run(feeds)["values"]
    assert np.any(whole != floats)
    error = np.linalg.norm(whole - floats) / np.linalg.norm(floats)
    assert error < 0.02  # weights are off by up to 0.4 % of the largest, spikes by a timestep


def test_held_layers_of_float32_are_left_alone(isa: str) -> None:
    weights = np.ones((9, 25), np.float32)
    assert "HeldProduct" not in lowered(mlp(weights), int8=False)
    weights[3, 4] = np.inf
    assert "HeldProduct" not in lowered(mlp(weights))


def test_held_weights_are_kept_once(isa: str) -> None:
    graph = lower(mlp(np.ones((64, 25), np.float32)).plain, int8=True).graph
    held = next(node for node in graph.node if node.op_type == "HeldProduct")
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    assert "w" not in tensors
    assert tensors[held.input[1]].nbytes == 64 * 26  # a byte a weight, inputs in pairs

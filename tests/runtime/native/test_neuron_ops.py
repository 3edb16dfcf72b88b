"""The compiled neurons are bit-equal to their numpy steps, whatever the shapes and parameters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from op_cases import Case, sequence_model

from onnx2snn.ir.ops import OPS, Neuron
from onnx2snn.ir.session import Session
from onnx2snn.runtime import custom_ops_path
from onnx2snn.runtime.engine.neurons import is_compiled

NEURONS = [op for op in OPS if isinstance(op, Neuron) and is_compiled(op)]
SHAPES = [(3,), (2, 5), (3, 4, 5), (1100,), (2, 3, 3, 2)]


def random_case(op: Neuron, seed: int) -> Case:
    """Floats of any kind, a shape with tails, parameters of every broadcast."""
    rng = np.random.default_rng(seed)
    features = SHAPES[seed % len(SHAPES)]
    steps, samples = int(rng.integers(1, 9)), int(rng.integers(1, 4))

    def parameter(low: float, high: float) -> np.ndarray:
        kept = rng.integers(0, 2, len(features)).astype(bool)
        shape = [1, *np.where(kept, features, 1)]
        return rng.uniform(low, high, shape).astype(np.float32)

    inputs = {
        "quantum": parameter(0.01, 0.5),
        "current": parameter(-0.5, 0.5),
        "slope": parameter(0.0, 1.0),
        "n_min": np.array(rng.integers(-9, 1), np.float32),
        "n_max": np.array(rng.integers(0, 300), np.float32),
        "timesteps": np.array(steps, np.int64),
        "stimulus": np.array(rng.integers(1, steps + 2), np.int64),
    }
    attributes: dict[str, object] = {name: float(rng.uniform(-0.5, 1)) for name in op.attributes}
    x = rng.normal(0, 1, (steps, samples, *features)).astype(np.float32)
    x[rng.random(x.shape) < 0.3] = 0
    return Case(op, x, {name: inputs[name] for name in op.inputs[1:]}, attributes)


def assert_bit_equal(op: Neuron, seed: int) -> None:
    it = random_case(op, seed)
    model, x = sequence_model(it), it.x.reshape(-1, *it.x.shape[2:])
    for declared in model.graph.input:
        if declared.name == "x":
            del declared.type.tensor_type.shape.dim[len(x.shape) :]
            for _ in range(len(x.shape) - len(declared.type.tensor_type.shape.dim)):
                declared.type.tensor_type.shape.dim.add()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    spikes = Session(model, library=custom_ops_path()).run({"x": x, **it.inputs})["y"]
    expected = op.sequence(x, it.parameters)
    np.testing.assert_array_equal(spikes, expected)


@pytest.mark.parametrize("op", NEURONS, ids=lambda op: op.name)
def test_neurons_equal_their_numpy_steps(isa: str, op: Neuron) -> None:
    for seed in range(len(SHAPES)):
        assert_bit_equal(op, seed)


@pytest.mark.parametrize("op", NEURONS[:6], ids=lambda op: op.name)
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**31))
def test_neurons_equal_their_numpy_steps_at_random(isa: str, op: Neuron, seed: int) -> None:
    assert_bit_equal(op, seed)


def test_a_wrong_shape_is_an_error_not_a_crash(isa: str) -> None:
    it = random_case(NEURONS[0], 0)
    session = Session(sequence_model(it), library=custom_ops_path())
    feeds = {"x": np.zeros((7, 3), np.float32), **it.inputs, "timesteps": np.array(4, np.int64)}
    with pytest.raises(Exception, match=r"multiple of its timesteps|Invalid rank"):
        session.run(feeds)

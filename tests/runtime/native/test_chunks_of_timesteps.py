"""Cutting a run into chunks of timesteps changes no spike, in compiled neurons and by events."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from event_nets import random_net
from op_cases import Case, chunk_model, step_model
from test_neuron_ops import NEURONS, random_case

from onnx2snn.ir.derive.chunk import ChunkModel, to_chunk
from onnx2snn.ir.derive.running import to_running
from onnx2snn.ir.derive.step import initial_states
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import Neuron
from onnx2snn.ir.session import Session, Tensors
from onnx2snn.runtime import custom_ops_path
from onnx2snn.runtime.backends import Backend, find_backend
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.engine.lowering import lower

CUTS = (0, 1, 4, 7)


def in_chunks(
    model: SpikingModel, chunk: ChunkModel, backend: Backend, image: np.ndarray
) -> Tensors:
    """Return the decoded values of all timesteps, run chunk by chunk."""
    loaded = backend.load(chunk.body, threads=2)
    states: Tensors = dict(initial_states(model, chunk, {"image": image}))
    values: dict[str, list] = {name: [] for name in chunk.values}
    for start, end in itertools.pairwise(CUTS):
        clock = np.arange(start + 1, end + 1)
        results = loaded.run({"image": image, chunk.clock: clock, **states})
        states = {state.input: results[state.output] for state in chunk.states}
        for name, parts in values.items():
            parts.append(results[name])
    return {name: np.concatenate(parts) for name, parts in values.items()}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "backend", [EventBackend(tiles=False), find_backend("onnxruntime")], ids=lambda b: b.name
)
def test_random_nets(isa: str, seed: int, backend: Backend) -> None:
    model, image = random_net(seed)
    feeds = {"image": image, "timesteps": np.array(CUTS[-1], np.int64)}
    whole = find_backend("reference").load(to_running(model).body).run(feeds)
    given = in_chunks(model, to_chunk(model), backend, image)
    for name, values in whole.items():
        np.testing.assert_array_equal(given[name], values)


def test_lowered_chunks_keep_their_spikes(isa: str) -> None:
    model, _ = random_net(1)  # with an IncrementMaxPool
    used = [node.op_type for node in lower(to_chunk(model).body).graph.node]
    assert "CountMaxPool" in used
    assert "Decode" not in used


@pytest.mark.parametrize("op", NEURONS, ids=lambda op: op.name)
@pytest.mark.parametrize("single", [True, False], ids=["step", "chunk"])
def test_neurons_with_explicit_state(isa: str, op: Neuron, single: bool) -> None:
    """Compiled X_Step and X_Chunk against the numpy step, from a state that is not blank."""
    for seed in range(3):
        it = random_case(op, seed)
        steps = it.x[:1] if single else it.x
        rng = np.random.default_rng(seed)
        state = (
            rng.normal(0, 1, it.x[0].shape).astype(np.float32),
            rng.integers(-2, 3, it.x[0].shape).astype(np.float32),
        )
        clock = np.arange(3, 3 + len(steps))
        named = {
            **it.inputs,
            **dict(zip(op.state, state, strict=True)),
            "x": steps.reshape(-1, *it.x.shape[2:]),
            "t": np.array(3, np.int64),
            "clock": clock,
        }
        inputs = op.step_inputs if single else op.chunk_inputs
        model = open_ranks(step_model(it) if single else chunk_model(it), it)
        given = Session(model, library=custom_ops_path()).run(
            {name: named[name] for name in inputs}
        )
        y, following = op.chunk(named["x"], state, clock.tolist(), it.parameters)
        for ours, expected in zip(given.values(), (y, *following), strict=True):
            np.testing.assert_array_equal(ours, expected)


def open_ranks(model, it: Case):
    """Leave the ranks of the streams open: the cases have two to five axes."""
    for declared in (*model.graph.input, *model.graph.output):
        if declared.name == "x" or declared.name not in it.inputs | {"t": 0, "clock": 0}:
            declared.type.tensor_type.ClearField("shape")
    return model


def test_states_of_another_size_are_refused(isa: str) -> None:
    it = random_case(NEURONS[0], 0)
    model = open_ranks(chunk_model(it), it)
    feeds = {name: it.inputs[name] for name in NEURONS[0].chunk_inputs if name in it.inputs}
    feeds |= {"x": np.zeros((4, 3), np.float32), "clock": np.array([1, 2])}
    feeds |= {"charge": np.zeros((4, 3), np.float32), "count": np.zeros((2, 3), np.float32)}
    session = Session(model, library=custom_ops_path())
    with pytest.raises(Exception, match="as large as one timestep"):
        session.run(feeds)
    feeds |= {"charge": np.zeros((2, 3), np.float32), "clock": np.array([1, 3])}
    with pytest.raises(Exception, match="follow one another"):
        session.run(feeds)

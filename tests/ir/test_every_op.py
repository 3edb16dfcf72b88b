"""Every operator: numpy step, ONNX bodies in onnx.reference and in onnxruntime are bit-equal."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from onnx import checker
from onnx.reference import ReferenceEvaluator
from op_cases import (
    TESTED_OPS,
    Case,
    case,
    chunk_model,
    sequence_model,
    settled_model,
    step_model,
)

from onnx2snn.ir.ops import Neuron, SpikingOp
from onnx2snn.ir.session import Session

RAW = ("DirectCurrent", "Hold")  # take a tensor [N, ...], not a stream

each_op = pytest.mark.parametrize("op", TESTED_OPS, ids=lambda op: op.name)
each_clock = pytest.mark.parametrize(
    ("timesteps", "stimulus"), [(1, 1), (6, 1), (6, 4), (5, 5), (3, 7)]
)


def folded(case: Case) -> np.ndarray:
    return case.x.reshape(-1, *case.x.shape[2:]) if case.op.name not in RAW else case.x[0]


def by_numpy(case: Case) -> np.ndarray:
    return case.op.sequence(folded(case), case.parameters)


@each_op
@each_clock
def test_sequence_body_equals_numpy_step(op: SpikingOp, timesteps: int, stimulus: int) -> None:
    it = case(op, timesteps=timesteps, stimulus=stimulus)
    model, feeds = sequence_model(it), {"x": folded(it), **it.inputs}
    checker.check_model(model)
    expected = by_numpy(it)
    (reference,) = ReferenceEvaluator(model).run(None, feeds)
    np.testing.assert_array_equal(reference, expected)
    np.testing.assert_array_equal(Session(model).run(feeds)["y"], expected)


@each_op
@each_clock
def test_step_body_equals_numpy_step(op: SpikingOp, timesteps: int, stimulus: int) -> None:
    it = case(op, seed=1, timesteps=timesteps, stimulus=stimulus)
    model = step_model(it)
    checker.check_model(model)
    session, reference = Session(model), ReferenceEvaluator(model)
    state = op.initial_state(it.x[0], it.parameters)
    for t in range(1, timesteps + 1):
        x = it.x[0] if op.name in RAW else it.x[t - 1]
        named = {**it.inputs, "t": np.array(t, np.int64), "x": x}
        feeds = {name: named[name] for name in op.step_inputs if name not in op.state}
        feeds |= dict(zip(op.state, state, strict=True))
        y, state = op.step(x, state, t, it.parameters)
        got = list(session.run(feeds).values())
        for expected, ours, theirs in zip(
            (y, *state), got, reference.run(None, feeds), strict=True
        ):
            np.testing.assert_array_equal(ours, expected)
            np.testing.assert_array_equal(theirs, expected)


@pytest.mark.parametrize(
    "op", [op for op in TESTED_OPS if op.name != "ReadOut"], ids=lambda op: op.name
)
@pytest.mark.parametrize("cuts", [(0, 6), (0, 1, 4, 6)])
def test_chunks_of_timesteps_equal_numpy_and_the_whole(
    op: SpikingOp, cuts: tuple[int, ...]
) -> None:
    it = case(op, seed=5, stimulus=3)
    model = chunk_model(it)
    checker.check_model(model)
    session, whole = Session(model), by_numpy(it)
    batch = len(it.x[0])
    state = op.initial_state(it.x[0], it.parameters)
    for start, end in itertools.pairwise(cuts):
        clock = np.arange(start + 1, end + 1)
        stream = it.x[start:end].reshape(-1, *it.x.shape[2:])
        named = {**it.inputs, "clock": clock, "x": it.x[0] if op.name in RAW else stream}
        feeds = {name: named[name] for name in op.chunk_inputs if name not in op.state}
        feeds |= dict(zip(op.state, state, strict=True))
        y, state = op.chunk(named["x"], state, clock.tolist(), it.parameters)
        for expected, given in zip((y, *state), session.run(feeds).values(), strict=True):
            np.testing.assert_array_equal(given, expected)
        np.testing.assert_array_equal(y, whole[start * batch : end * batch])


@each_op
def test_step_body_iterated_equals_sequence_body(op: SpikingOp) -> None:
    it = case(op, seed=2)
    whole = Session(sequence_model(it)).run({"x": folded(it), **it.inputs})["y"]
    session = Session(step_model(it))
    state, steps = op.initial_state(it.x[0], it.parameters), []
    for t in range(1, len(it.x) + 1):
        x = it.x[0] if op.name in RAW else it.x[t - 1]
        named = {**it.inputs, "t": np.array(t, np.int64), "x": x}
        feeds = {name: named[name] for name in op.step_inputs if name not in op.state}
        y, *following = session.run(feeds | dict(zip(op.state, state, strict=True))).values()
        state = tuple(following)
        steps.append(y)
    expected = steps[-1] if op.name == "ReadOut" else np.concatenate(steps)
    np.testing.assert_array_equal(whole, expected)


@pytest.mark.parametrize(
    "op", [op for op in TESTED_OPS if isinstance(op, Neuron)], ids=lambda op: op.name
)
def test_settled_body_equals_numpy(op: Neuron) -> None:
    it = case(op, seed=3, stimulus=4)
    feeds = {"x": it.x[0], **it.inputs}
    expected = op.settled(it.x[0], it.parameters)
    model = settled_model(it)
    np.testing.assert_array_equal(Session(model).run(feeds)["y"], expected)
    np.testing.assert_array_equal(ReferenceEvaluator(model).run(None, feeds)[0], expected)


@each_op
def test_attributes_have_the_defaults_they_declare(op: SpikingOp) -> None:
    it = case(op, seed=4)
    bare = Case(op, it.x, it.inputs, dict(it.attributes) if "MaxPool" in op.name else {})
    told = Case(op, it.x, it.inputs, {**bare.attributes, **op.attributes})
    feeds = {"x": folded(it), **it.inputs}
    ours = Session(sequence_model(bare)).run(feeds)["y"]
    np.testing.assert_array_equal(ours, Session(sequence_model(told)).run(feeds)["y"])
    np.testing.assert_array_equal(ours, by_numpy(bare))

"""Derived models say the same as the file they come from."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import checker
from spiking_nets import ann, conv_net, images

from onnx2snn.ir.derive.record import SEGMENTS, record, segments, sources
from onnx2snn.ir.derive.running import to_running
from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.derive.settle import settle, shape_model, shape_name
from onnx2snn.ir.derive.step import initial_states, to_step
from onnx2snn.ir.derive.stream_shapes import stream_shapes
from onnx2snn.ir.derive.unscan import unscan
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors

KINDS = ("GradedIntegrateFire", "SignedIntegrateFire", "IntegrateFire", "GradedIntegrateFire_x3")
NETS = pytest.mark.parametrize(
    "model",
    [conv_net(kind, stimulus) for kind in KINDS for stimulus in (1, 3, None)],
    ids=[f"{kind}-S={stimulus or 'T'}" for kind in KINDS for stimulus in (1, 3, None)],
)


def run(model: onnx.ModelProto, feeds: Tensors, timesteps: int) -> Tensors:
    return Session(model).run({**feeds, "timesteps": np.array(timesteps, np.int64)})


@NETS
def test_running_values_are_those_of_shorter_runs(model: SpikingModel) -> None:
    """With S < T fixed, the read-out after t timesteps is that of a run of T = t."""
    running, x = to_running(model), images(3)
    assert running.head is not None
    values = run(running.body, x, 6)["logits"]
    head = Session(running.head)
    for t in (1, 2, 6):
        decoded = head.run({"logits": values[(t - 1) * 3 : t * 3]})
        whole = run(model.proto, x, t)
        np.testing.assert_array_equal(decoded["probabilities"], whole["probabilities"])
        np.testing.assert_array_equal(decoded["label"], whole["label"])


@NETS
def test_steps_and_scan_equal_the_folded_run(model: SpikingModel) -> None:
    step, x = to_step(model), images(3)
    checker.check_model(step.proto, full_check=True)
    states: Tensors = dict(initial_states(model, step, x))
    session = Session(step.proto)
    scanned = to_scan(model)
    for t in range(1, 6):
        results = session.run({**x, **states, step.clock: np.array(t, np.int64)})
        states = {state.input: results[state.output] for state in step.states}
        for whole in (model, scanned):
            expected = run(whole.proto, x, t)["probabilities"]
            np.testing.assert_array_equal(results["probabilities"], expected)


@NETS
def test_scan_keeps_the_folded_graph(model: SpikingModel) -> None:
    scanned = to_scan(model)
    assert scanned.manifest.layout == "scan"
    assert to_scan(scanned) is scanned
    assert list(unscan(scanned.proto).graph.node) == list(model.proto.graph.node)
    assert unscan(model.proto) is model.proto
    assert run(scanned.plain, images(2), 4)["label"].shape == (2,)


@pytest.mark.parametrize("kind", ["GradedIntegrateFire", "GradedIntegrateFire_x3"])
def test_settles_at_the_quantised_ann(kind: str) -> None:
    model, x = conv_net(kind), images(20)
    settled = run(settle(model), x, 30)["probabilities"]
    spiking = run(model.proto, x, 30)["probabilities"]
    np.testing.assert_allclose(spiking, settled, atol=1e-6)  # sums over time against one product
    source = Session(ann(model)).run(x)["probabilities"]
    np.testing.assert_allclose(settled, source, atol=0.02)  # the grid: quanta of 0.02 to 0.08


def test_shapes_of_streams() -> None:
    model = conv_net()
    shapes = Session(shape_model(model, ["z1", "p1", "f"])).run(images(2))
    assert shapes[shape_name("z1")].tolist() == [2, 4, 6, 6]
    assert shapes[shape_name("p1")].tolist() == [2, 4, 3, 3]
    assert shapes[shape_name("f")].tolist() == [2, 4]
    assert stream_shapes(model)["p1"][1:] == [4, 3, 3]


@NETS
def test_recorded_events_follow_from_the_streams(model: SpikingModel) -> None:
    x, steps = images(3), 5
    recorded = sources(model)
    assert [source.name for source in recorded] == ["encoder", "pool", "relu1", "relu2"]
    body = record(to_running(model).body, recorded, timesteps="timesteps", streams=True)
    results = run(body, {**x, SEGMENTS: segments(steps, (2, steps))}, steps)
    for source in recorded:
        train = results[source.stream].reshape(steps, 3, *results[source.stream].shape[1:])
        if source.digits == 1:
            events = train != 0
            np.testing.assert_array_equal(
                results[source.events], events.reshape(steps, 3, -1).sum(axis=2)
            )
            by_segment = [events[:2].sum((0, 1)), events[2:].sum((0, 1))]
            np.testing.assert_array_equal(results[source.maps][:, 0], by_segment)
            negative = (train < 0).reshape(steps, 3, -1).sum(axis=2)
            np.testing.assert_array_equal(results[source.negative], negative)
        if source.quantum:
            count = np.rint(train.sum(axis=0) / model.initializers[source.quantum])
            np.testing.assert_array_equal(results[source.count], count)


@NETS
def test_recording_a_step_equals_recording_a_stream(model: SpikingModel) -> None:
    x, recorded, step = images(3), sources(model), to_step(model)
    folded = record(to_running(model).body, recorded, timesteps="timesteps", sum_batch=False)
    expected = run(folded, {**x, SEGMENTS: segments(1, (1,))}, 1)
    stepped = record(step.proto, recorded, timesteps=None, sum_batch=False)
    clock = {step.clock: np.array(1, np.int64)}
    results = Session(stepped).run({**x, **initial_states(model, step, x), **clock})
    for source in recorded:
        for name in source.outputs:
            np.testing.assert_array_equal(results[name], expected[name])

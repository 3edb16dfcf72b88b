"""Compiled counting of events equals the function bodies and the reference, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from event_nets import random_net
from onnx import parser

from onnx2snn.ir.derive.record import Source, record, segments, sources
from onnx2snn.ir.derive.running import to_running
from onnx2snn.ir.session import Session
from onnx2snn.ir.types import Array
from onnx2snn.runtime import custom_ops_path
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.backends.reference import ReferenceBackend
from onnx2snn.runtime.engine.lowering import lower
from onnx2snn.runtime.runs.simulate import simulate

STEPS, SAMPLES = 5, 3


def counter_model(digits: int, unit: bool, sum_batch: bool, features: list[int]):
    """A model that only counts the events of its input, and the source it counts."""
    source = Source("layer", "x", "GradedIntegrateFire", "q" if unit else "", digits, True)
    dims = ", ".join(map(str, features))
    body = parser.parse_model(f"""<ir_version: 10, opset_import: ["": 21, "onnx2snn": 1]>
    counting (float[R, {dims}] raw, float[Q] q_flat, int64 timesteps) => (float[R, {dims}] x) {{
      x = Identity (raw)
      one = Constant <value_ints = [1, -1{", 1" * (len(features) - 1)}]> ()
      q = Reshape (q_flat, one)
    }}""")
    return record(body, [source], timesteps="timesteps", sum_batch=sum_batch), source


@pytest.mark.parametrize("features", [[7], [3, 2], [4, 5, 30]])
@pytest.mark.parametrize("sum_batch", [True, False])
@pytest.mark.parametrize(
    ("digits", "unit"), [(1, True), (2, True), (5, True), (8, True), (1, False)]
)
def test_dense_streams(
    isa: str, digits: int, unit: bool, sum_batch: bool, features: list[int]
) -> None:
    rng = np.random.default_rng(digits)
    model, source = counter_model(digits, unit, sum_batch, features)
    quantum: Array = np.exp2(rng.integers(-4, 2, features[0])).astype(np.float32)
    emitted = rng.integers(-200, 201, (STEPS * SAMPLES, *features)) * (
        rng.random((STEPS * SAMPLES, *features)) < 0.4
    )
    emitted[:SAMPLES] = 0  # a silent timestep
    raw = emitted * quantum.reshape(-1, *[1] * (len(features) - 1))
    feeds = {
        "raw": raw.astype(np.float32),
        "q_flat": quantum,
        "timesteps": np.array(STEPS, np.int64),
        "onnx2snn/record/segments": segments(STEPS, (2, 4)),
    }
    expected = Session(model).run(feeds, source.outputs)
    given = Session(model, library=custom_ops_path()).run(feeds, source.outputs)
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)


@pytest.mark.parametrize("seed", range(6))
def test_lowered_streams(isa: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = {"reference": ReferenceBackend(), "event": EventBackend(tiles=False)}
    monkeypatch.setattr("onnx2snn.runtime.runs.spiking_run.find_backend", exact.__getitem__)
    model, image = random_net(seed)
    expected = simulate(model, image, timesteps=6, backend="reference", record="spikes")
    counted = simulate(model, image, timesteps=6, backend="event", record="counts")
    trains = simulate(model, image, timesteps=6, backend="event", record="spikes")
    for name, layer in expected.layers.items():
        for ours in (counted.layers[name], trains.layers[name]):
            np.testing.assert_array_equal(ours.events, layer.events)
            np.testing.assert_array_equal(ours.negative, layer.negative)
            np.testing.assert_array_equal(ours.counts, layer.counts)
        np.testing.assert_array_equal(trains.layers[name].spikes, layer.spikes)


@pytest.mark.parametrize("sum_batch", [True, False])
def test_event_maps(isa: str, sum_batch: bool) -> None:
    model, image = random_net(1)
    recorded = sources(model)
    body = record(
        to_running(model).body,
        recorded,
        timesteps=model.timesteps_input,
        sum_batch=sum_batch,
    )
    feeds = {
        "image": image,
        "timesteps": np.array(6, np.int64),
        "onnx2snn/record/segments": segments(6, (1, 4)),
    }
    wanted = [source.maps for source in recorded]
    expected = Session(body).run(feeds, wanted)
    given = Session(lower(body), library=custom_ops_path()).run(feeds, wanted)
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)


def test_counting_leaves_spikes_where_they_are(isa: str) -> None:
    model, _ = random_net(1)
    body = record(to_running(model).body, sources(model), timesteps=model.timesteps_input)
    used = [node.op_type for node in lower(body).graph.node]
    assert used.count("CountEvents") == len(sources(model))
    assert "Decode" not in used

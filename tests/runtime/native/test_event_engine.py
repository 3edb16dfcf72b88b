"""The event-driven engine gives the reference's spikes: any layer, any density, any machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from event_nets import ALWAYS_DENSE, ALWAYS_EVENTS, direct_net, random_net
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from spiking_nets import conv_net, images

from onnx2snn.ir.derive.running import to_running
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.backends.reference import ReferenceBackend
from onnx2snn.runtime.engine.lowering import lower
from onnx2snn.runtime.engine.stream import Link
from onnx2snn.runtime.runs.simulate import simulate


def assert_equals_the_reference(seed: int, dense_above: float | None) -> None:
    model, image = random_net(seed)
    running = to_running(model)
    feeds = {"image": image, "timesteps": np.array(1 + seed % 7, np.int64)}
    expected = ReferenceBackend().load(running.body).run(feeds)
    given = EventBackend(dense_above, tiles=False).load(running.body, threads=2).run(feeds)
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)


@pytest.mark.parametrize("dense_above", [None, ALWAYS_EVENTS, ALWAYS_DENSE])
@pytest.mark.parametrize("seed", range(8))
def test_random_nets_are_bit_equal(isa: str, seed: int, dense_above: float | None) -> None:
    assert_equals_the_reference(seed, dense_above)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**31), dense_above=st.sampled_from([0.0, 0.1, 0.3, 2.0]))
def test_any_net_is_bit_equal(isa: str, seed: int, dense_above: float) -> None:
    assert_equals_the_reference(seed, dense_above)


@pytest.mark.parametrize("seed", range(8))
def test_the_read_out_of_summed_spikes_is_bit_equal(isa: str, seed: int) -> None:
    model, image = random_net(seed)
    feeds = {"image": image, "timesteps": np.array(1 + seed, np.int64)}
    expected = ReferenceBackend().load(model.plain).run(feeds)
    given = EventBackend(tiles=False).load(model.plain).run(feeds)
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)


@pytest.mark.parametrize("stimulus", [1, 3, 9])
def test_a_held_input_runs_through_its_layers_once(isa: str, stimulus: int) -> None:
    model, image = direct_net(stimulus)
    feeds = {"image": image, "timesteps": np.array(6, np.int64)}
    expected = ReferenceBackend().load(model.plain).run(feeds)
    given = EventBackend(tiles=False).load(model.plain).run(feeds)
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)
    graph = lower(model.plain).graph
    assert not any(node.op_type == "DirectCurrent" for node in graph.node)
    geometry = [numpy_helper.to_array(t) for t in graph.initializer if "geometry" in t.name]
    assert any(numbers[0] == Link.HELD for numbers in geometry)


def test_lowering_fuses_what_it_can(isa: str) -> None:
    model, _ = random_net(1)
    used = {node.op_type for node in lower(to_running(model).body).graph.node}
    assert used & {"Layer", "LayerValues"}
    assert "Conv" not in used


def test_one_session_serves_many_threads(isa: str) -> None:
    model, x = conv_net(), images(4)
    loaded = EventBackend().load(to_running(model).body, threads=2)
    feeds = [
        {"image": x["image"][: 1 + i % 4], "timesteps": np.array(4 + i % 3, np.int64)}
        for i in range(16)
    ]
    alone = [loaded.run(feed) for feed in feeds]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(loaded.run, feeds))
    for ours, theirs in zip(alone, together, strict=True):
        for name, values in ours.items():
            np.testing.assert_array_equal(theirs[name], values)


def test_timestep_by_timestep_is_the_same(isa: str) -> None:
    model, x = conv_net(), images(3)
    whole = simulate(model, x, timesteps=5, backend="event")
    stepped = simulate(model, x, timesteps=5, backend="event", memory="60KiB")
    for name, values in whole.outputs.items():
        np.testing.assert_allclose(stepped.outputs[name], values, atol=1e-5)

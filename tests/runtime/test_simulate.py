"""Simulation: the same result however it is cut up, and streaming."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from spiking_nets import conv_net, images

from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.errors import DataError, SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session
from onnx2snn.runtime.backends import BACKENDS, Backend
from onnx2snn.runtime.runs.chunks import check_samples
from onnx2snn.runtime.runs.simulate import Simulation, simulate
from onnx2snn.runtime.runs.simulator import Simulator
from onnx2snn.runtime.runs.spiking_run import RunOptions, plan_chunks

T, SAMPLES = 7, 9


def same(left: Simulation, right: Simulation) -> None:
    for name, values in left.outputs.items():
        np.testing.assert_array_equal(values, right.outputs[name])
    assert list(left.layers) == list(right.layers)
    for name, layer in left.layers.items():
        other = right.layers[name]
        np.testing.assert_array_equal(layer.events, other.events)
        np.testing.assert_array_equal(layer.negative, other.negative)
        # in quanta exactly; the analog sums of a pool are added up in another order
        atol = 0 if layer.counts.dtype.kind == "i" else 1e-6
        np.testing.assert_allclose(layer.counts, other.counts, rtol=0, atol=atol)
        np.testing.assert_array_equal(layer.spikes, other.spikes)


@pytest.mark.parametrize("stimulus", [1, 3, None], ids=["S=1", "S=3", "S=T"])
@pytest.mark.parametrize(
    ("memory", "samples", "steps"),
    [("1GiB", 9, T), ("100KiB", 3, T), ("30KiB", 1, T), ("24KiB", 1, 2), ("20KiB", 1, 1)],
)
def test_chunks_change_nothing(stimulus: int | None, memory: str, samples: int, steps: int) -> None:
    model, x = conv_net(stimulus=stimulus), images(SAMPLES)
    plan = plan_chunks(model, x, T, RunOptions(memory=memory, recording="spikes"))
    assert (min(plan.samples, SAMPLES), plan.steps) == (samples, steps)
    whole = simulate(model, x, timesteps=T, record="spikes")
    same(whole, simulate(model, x, timesteps=T, record="spikes", memory=memory))
    feeds = {**x, "timesteps": np.array(T, np.int64)}
    for name, values in Session(model.proto).run(feeds).items():
        np.testing.assert_array_equal(whole.outputs[name], values)


def test_the_scan_layout_runs_sample_by_sample() -> None:
    model, x = conv_net(), images(4)
    same(
        simulate(model, x, timesteps=T, record="spikes"),
        simulate(to_scan(model), x, timesteps=T, record="spikes"),
    )


def fixed(model: SpikingModel, batch: int) -> SpikingModel:
    """The model in the scan layout with a batch size its input insists on."""
    scanned = to_scan(model)
    proto = type(scanned.proto)()
    proto.CopyFrom(scanned.proto)
    proto.graph.input[0].CopyFrom(helper.make_tensor_value_info("image", 1, [batch, 2, 6, 6]))
    return SpikingModel(proto)


def test_short_batches_are_filled_up_and_cut() -> None:
    model, x = conv_net(), images(7)
    same(
        simulate(model, x, timesteps=T, record="spikes"),
        simulate(fixed(model, 3), x, timesteps=T, record="spikes"),
    )


@pytest.mark.parametrize("memory", ["1GiB", "24KiB"])
def test_decoded_values_may_be_outputs_too(memory: str) -> None:
    model, x = conv_net(), images(2)
    proto = type(model.proto)()
    proto.CopyFrom(model.proto)
    proto.graph.output.append(helper.make_tensor_value_info("logits", 1, ["N", 4]))
    both, only = SpikingModel(proto), type(proto)()
    only.CopyFrom(proto)
    del only.graph.output[:2]
    # The event engine sums in another order.
    told = {"timesteps": T, "memory": memory, "backend": "onnxruntime"}
    outputs = simulate(both, x, **told).outputs
    feeds = {**x, "timesteps": np.array(T, np.int64)}
    for name, values in Session(proto).run(feeds).items():
        np.testing.assert_array_equal(outputs[name], values)
    lone = simulate(SpikingModel(only), x, **told).outputs
    assert list(lone) == ["logits"]
    np.testing.assert_array_equal(lone["logits"], outputs["logits"])


def test_a_tiny_budget_is_refused() -> None:
    with pytest.raises(SimulationError, match="more than the budget"):
        simulate(conv_net(), images(1), memory="1KiB")


@pytest.mark.parametrize("memory", ["lots", "-1GiB", "0", "1.2.3G"])
def test_nonsense_budgets_are_refused(memory: str) -> None:
    with pytest.raises(SimulationError):
        simulate(conv_net(), images(1), memory=memory)


def test_default_timesteps_are_the_files() -> None:
    model = conv_net()
    result = simulate(model, images(2)["image"])
    assert (result.timesteps, result.stimulus_steps) == (16, 1)
    assert result.samples == 2
    assert result.layers == {}
    assert result.events == 0.0


def test_counts_are_the_sums_of_trains() -> None:
    result = simulate(conv_net(), images(3), timesteps=T, record="spikes")
    for name in ("encoder", "relu1", "relu2"):
        layer = result.layers[name]
        assert layer.spikes is not None
        np.testing.assert_array_equal(layer.spikes.sum(axis=0), layer.counts)
        assert layer.spikes.shape[:2] == (T, 3)
        assert layer.events.sum() >= layer.negative.sum() > 0


@pytest.mark.parametrize("timesteps", [0, -3])
def test_no_timesteps_are_refused(timesteps: int) -> None:
    with pytest.raises(SimulationError, match="at least one timestep"):
        simulate(conv_net(), images(1), timesteps=timesteps)


def test_misfitting_samples_are_refused() -> None:
    model = conv_net()
    with pytest.raises(DataError, match="missing"):
        check_samples(model, {"picture": images(1)["image"]})
    with pytest.raises(DataError):
        check_samples(model, images(1)["image"][:, :1])
    with pytest.raises(DataError):
        check_samples(model, np.full((1, 2, 6, 6), np.nan, np.float32))


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    report = lambda done, total: seen.append((done, total))  # noqa: E731
    simulate(conv_net(), images(5), timesteps=T, memory="24KiB", progress=report)
    assert seen == [(n, 5) for n in range(1, 6)]


@pytest.mark.parametrize("layout", [lambda model: model, to_scan], ids=["folded", "scan"])
@pytest.mark.parametrize("backend", ["onnxruntime", "reference", "event"])
def test_streaming_gives_every_prefix(layout, backend: str) -> None:
    if find_backend_or_none(backend) is None:
        pytest.skip("the compiled library is not built")
    model, x = conv_net(stimulus=2), images(2)
    simulator = Simulator(layout(model), backend=backend)
    for _ in range(2):
        for t in range(1, 5):
            assert simulator.timestep == t - 1
            outputs = simulator.step(x)
            expected = simulate(model, x, timesteps=t, backend=backend).outputs
            np.testing.assert_array_equal(outputs["label"], expected["label"])
            np.testing.assert_allclose(  # the reference sums the read-out in another order
                outputs["probabilities"], expected["probabilities"], atol=1e-6
            )
        simulator.reset()


def find_backend_or_none(name: str) -> Backend | None:
    found = next(backend for backend in BACKENDS if backend.name == name)
    return None if found.why_unavailable() else found


def test_a_part_of_a_batch_may_go_on() -> None:
    model, x = conv_net(stimulus=2), images(4)
    simulator, alone = Simulator(model), Simulator(model)
    part = {"image": x["image"][[0, 2]]}
    for _ in range(2):
        simulator.step(x)
        alone.step(part)
    simulator.keep(np.array([True, False, True, False]))
    for name, values in alone.step(part).items():
        np.testing.assert_array_equal(simulator.step(part)[name], values)
    with pytest.raises(SimulationError, match="keep"):
        simulator.step(x)
    simulator.reset()
    with pytest.raises(SimulationError, match="no batch yet"):
        simulator.keep(np.array([0]))
    with pytest.raises(SimulationError, match="one by one"):
        Simulator(to_scan(model)).keep(np.array([0]))


def test_streams_may_change_at_every_timestep() -> None:
    """With S = T a stream of events sums up: its mean is what the net sees."""
    model = conv_net(stimulus=None)
    simulator = Simulator(model)
    first, second = images(1, seed=1)["image"], images(1, seed=2)["image"]
    changing = [simulator.step(x)["probabilities"] for x in (first, second)]
    simulator.reset()
    steady = [simulator.step(x)["probabilities"] for x in (first, first)]
    np.testing.assert_array_equal(changing[0], steady[0])
    assert not np.array_equal(changing[1], steady[1])


def test_streaming_keeps_its_batch() -> None:
    simulator = Simulator(conv_net())
    simulator.step(images(2)["image"])
    with pytest.raises(SimulationError, match="from 2 to 3"):
        simulator.step(images(3)["image"])
    with pytest.raises(SimulationError, match="inputs"):
        simulator.step({"picture": images(2)["image"]})

"""Int8 weights: the engine gives the bits of an integer model, on any machine."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from event_nets import ALWAYS_DENSE, ALWAYS_EVENTS, random_net
from onnx import helper, numpy_helper
from spiking_nets import conv_net, images, sealed

from onnx2snn.ir.derive.running import to_running
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.ops import DOMAIN
from onnx2snn.runtime.backends import find_backend
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.backends.reference import ReferenceBackend
from onnx2snn.runtime.engine.lowering import lower
from onnx2snn.runtime.runs.simulate import simulate


def fused_net(seed: int) -> tuple[onnx.ModelProto, np.ndarray]:
    """Return a random net without the Identity that keeps a layer from being fused; its input."""
    model, image = random_net(seed)
    body = to_running(model).body
    kept = [node for node in body.graph.node if node.op_type != "Identity"]
    if len(kept) < len(body.graph.node):
        for node in kept:
            node.input[:] = ["s1" if name == "p1" else name for name in node.input]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del body.graph.node[:]
    body.graph.node.extend(copies)
    return body, image


def integer_model(body: onnx.ModelProto) -> onnx.ModelProto:
    """Return a random net whose two convolutions in front of neurons sum whole weights.

    K = round(127 W q / max |W q|) counts quanta of the input; the reference runs K / q, which is
    exact for these quanta, on spikes in units of q, and multiplies the sum by the scale.
    """
    model = onnx.ModelProto()
    model.CopyFrom(body)
    graph = model.graph
    tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    made: list[onnx.NodeProto] = []
    for node in graph.node:
        made.append(node)
        if node.op_type != "Conv" or node.input[1] not in ("w1", "w2"):
            continue
        weights = tensors[node.input[1]]
        quantum = tensors["e_q" if node.input[1] == "w1" else "a_q"].reshape(-1)
        group = next(a.i for a in node.attribute if a.name == "group") if _grouped(node) else 1
        read = np.repeat(quantum.reshape(group, -1), len(weights) // group, axis=0)
        read = read.reshape(*weights.shape[:2], *[1] * (weights.ndim - 2))
        currents = weights * read
        peak = np.abs(currents).reshape(len(weights), -1).max(axis=1)
        scale = np.where(peak > 0, peak / np.float32(127), np.float32(1)).astype(np.float32)
        by_output = scale.reshape(-1, *[1] * (weights.ndim - 1))
        whole = np.rint(currents / by_output).astype(np.int8)
        name, stream = node.input[1], node.output[0]
        node.input[1], node.output[0] = f"{name}_whole", f"{stream}_whole"
        as_read = whole.astype(np.float32) / read
        graph.initializer.append(numpy_helper.from_array(as_read, f"{name}_whole"))
        columns = scale.reshape(1, -1, *[1] * (weights.ndim - 2))
        graph.initializer.append(numpy_helper.from_array(columns, f"{name}_scale"))
        made.append(helper.make_node("Mul", [f"{stream}_whole", f"{name}_scale"], [stream]))
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in made]
    del graph.node[:]
    graph.node.extend(copies)
    return model


def _grouped(node: onnx.NodeProto) -> bool:
    return any(a.name == "group" for a in node.attribute)


@pytest.mark.parametrize("dense_above", [None, ALWAYS_EVENTS, ALWAYS_DENSE])
@pytest.mark.parametrize("seed", range(12))
def test_equals_the_integer_model(isa: str, seed: int, dense_above: float | None) -> None:
    body, image = fused_net(seed)
    feeds = {"image": image, "timesteps": np.array(1 + seed % 7, np.int64)}
    expected = ReferenceBackend().load(integer_model(body)).run(feeds)
    given = EventBackend(dense_above, weights="int8").load(body, threads=2).run(feeds)
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)


@pytest.mark.parametrize("seed", range(4))
def test_all_synapses_in_front_of_neurons_are_rounded(isa: str, seed: int) -> None:
    lowered = lower(fused_net(seed)[0], int8=True)
    tensors = {t.name: numpy_helper.to_array(t) for t in lowered.graph.initializer}
    for stream in ("s1", "s2"):
        whole = tensors[f"onnx2snn.engine/{stream}/weights_0"]
        assert np.array_equal(whole, np.rint(whole))
        assert np.abs(whole).max() == 127
        assert len(tensors[f"onnx2snn.engine/{stream}/scale"]) == len(whole)


def wide_net(inputs: int, outputs: int, sign: int) -> tuple[onnx.ModelProto, np.ndarray]:
    """Return a full layer whose inputs all fire and whose weights are the largest; its input."""
    constants = {
        "w": np.full((outputs, inputs), sign / 4, np.float32),
        "q": np.array(1, np.float32),
        "theta": np.array(inputs / 8, np.float32),
        "zero": np.zeros((), np.float32),
        "most": np.array(40, np.float32),
        "out": np.eye(outputs, 2, dtype=np.float32).T,
        "o_c": np.zeros((1, 2), np.float32),
    }
    ends = "zero, zero, most, timesteps, onnx2snn_stimulus"
    text = f"""
    wide (float[N, {inputs}] image, int64 timesteps) => (float[N, 2] values) {{
      shown = {DOMAIN}.DirectCurrent (image, timesteps, onnx2snn_stimulus)
      s0 = {DOMAIN}.IntegrateFire (shown, q, {ends})
      z1 = Gemm <transB = 1> (s0, w)
      s1 = {DOMAIN}.SignedIntegrateFire (z1, theta, zero, low, most, timesteps, onnx2snn_stimulus)
      z2 = Gemm <transB = 1> (s1, out)
      values = {DOMAIN}.ReadOut (z2, o_c, timesteps, onnx2snn_stimulus)
    }}"""
    constants["low"] = np.array(-40, np.float32)
    net = sealed(text, constants, stimulus=4)
    return to_running(net).body, np.ones((2, inputs), np.float32)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("inputs", [255, 257, 1024, 1217, 3000])
def test_long_sums_of_the_largest_weights_do_not_overflow(isa: str, inputs: int, sign: int) -> None:
    body, image = wide_net(inputs, 33, sign)  # every input fires at every timestep
    feeds = {"image": image, "timesteps": np.array(4, np.int64)}
    given = EventBackend(ALWAYS_EVENTS, weights="int8").load(body).run(feeds)
    expected = ReferenceBackend().load(body).run(feeds)
    assert any(np.any(values != 0) for values in expected.values())
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)


def test_a_layer_of_zeros_stays_silent(isa: str) -> None:
    body, image = wide_net(40, 3, 0)
    feeds = {"image": image, "timesteps": np.array(2, np.int64)}
    for values in EventBackend(weights="int8").load(body).run(feeds).values():
        assert not np.any(values)


def test_agrees_with_float32_weights(isa: str) -> None:
    model, x = conv_net("IntegrateFire"), images(16)
    whole = simulate(model, x, timesteps=16, backend="event-int8", record="counts")
    floats = simulate(model, x, timesteps=16, backend="event", record="counts")
    assert whole.events == pytest.approx(floats.events, rel=0.05)  # weights are off by up to 0.4 %
    assert any(np.any(whole.outputs[n] != floats.outputs[n]) for n in model.outputs)


def test_other_forms_are_refused() -> None:
    with pytest.raises(SimulationError, match="no weights 'int4'"):
        EventBackend(weights="int4")
    with pytest.raises(SimulationError, match="no backend 'onnxruntime-int8'"):
        find_backend("onnxruntime-int8")

"""Max-pools, encoders and lifts: put where they belong, and the ANN still computes the same."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from conversions import draw
from tests.nets import BRANCHES, DEPTHWISE_RELU6, MAXPOOL, MLP, NETS, build

from onnx2snn.converter.calibration.input_grid import find_grid
from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.graph.linearise import linearise
from onnx2snn.converter.graph.to_model import to_model
from onnx2snn.converter.planning.network import PlannedNodes, plan_nodes
from onnx2snn.converter.planning.plan import frontier, plan_network
from onnx2snn.converter.rewrites.move_max_pools import move_max_pools
from onnx2snn.ir.session import Session, Tensors


def answers(graph: gs.Graph, feeds: Tensors) -> Tensors:
    return Session(to_model(graph), optimised=False).run(feeds)


def planned(text: str, preset: str = "graded", *, grids: bool = True) -> PlannedNodes:
    model = build(text)
    graph, feeds = gs.import_onnx(model), draw(model)
    names = [tensor.name for tensor in frontier(graph, plan_network(graph))]
    found = {name: find_grid(np.asarray(feeds[name], np.float32)) for name in names}
    return plan_nodes(model, find_preset(preset), found if grids else None)


def ops(graph: gs.Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def test_graded_max_pools_move_in_front_of_the_neuron() -> None:
    model = build(MAXPOOL)
    graph = gs.import_onnx(model)
    changes = move_max_pools(graph, before_neuron=True)
    assert ops(graph)[:3] == ["Conv", "MaxPool", "Relu"]
    assert [change.node for change in changes] == ["pool"]
    assert [node.name for node in graph.nodes][:3] == ["conv", "pool", "relu"]
    assert move_max_pools(graph, before_neuron=True) == []
    feeds = draw(model)
    np.testing.assert_array_equal(answers(graph, feeds)["y"], Session(model).run(feeds)["y"])


def test_unit_spikes_are_pooled_behind_the_neuron() -> None:
    graph = gs.import_onnx(build(MAXPOOL))
    assert move_max_pools(graph, before_neuron=False) == []
    assert ops(graph)[:3] == ["Conv", "Relu", "MaxPool"]


def test_max_pools_pass_concatenations_and_shared_activations() -> None:
    text = BRANCHES.replace(
        "[pool] p = GlobalAveragePool (j)",
        "[most] m = MaxPool <kernel_shape = [2, 2]> (j) [pool] p = GlobalAveragePool (m)",
    ).replace("=> (float[N,4] y)", "=> (float[N,4] y, float[N,2,6,6] r1)")
    model = build(text)
    graph = gs.import_onnx(model)
    move_max_pools(graph, before_neuron=True)
    order = ops(graph)
    assert order.count("MaxPool") == 2
    # r1 is an output: its pool stays behind it. r2 is not: its pool moves in front.
    behind = {node.inputs[0].name for node in graph.nodes if node.op == "MaxPool"}
    assert behind == {"r1", "h2"}
    feeds = draw(model)
    for name, value in Session(model).run(feeds).items():
        np.testing.assert_allclose(answers(graph, feeds)[name], value, atol=1e-6)  # sum order


def test_a_pool_stays_behind_a_function_that_is_not_monotone() -> None:
    text = MAXPOOL.replace("[relu] r = Relu (h)", "[leaky] r = LeakyRelu <alpha = -0.3> (h)")
    graph = gs.import_onnx(build(text))
    assert move_max_pools(graph, before_neuron=True) == []


@pytest.mark.parametrize("preset", ["graded", "ternary"])
@pytest.mark.parametrize("name", list(NETS))
def test_the_planned_net_computes_what_the_ann_does(name: str, preset: str) -> None:
    model = build(NETS[name])
    feeds = draw(model, 1)
    found = answers(planned(NETS[name], preset).graph, feeds)
    for output, value in Session(model, optimised=False).run(feeds).items():
        # Offsets of the input grid are subtracted and added again in float32.
        np.testing.assert_allclose(found[output], value, atol=1e-5 * max(1, np.abs(value).max()))


def test_an_input_with_an_offset_is_encoded_around_it() -> None:
    model = build(MLP)
    x = np.random.default_rng(0).integers(0, 256, (40, 6)).astype(np.float32) / 50 - 3
    nodes = plan_nodes(model, find_preset("graded"), {"x": find_grid(x)})
    assert ops(nodes.graph)[:3] == ["Sub", "Identity", "Add"]
    assert list(nodes.inputs.values()) == ["x"]
    assert nodes.plan.fates[next(iter(nodes.inputs))].fate == "input"
    plain = plan_nodes(model, find_preset("graded"), {"x": find_grid(x + 3)})
    assert ops(plain.graph)[:2] == ["Identity", "Gemm"]  # silence is zero
    direct = plan_nodes(model, find_preset("graded"), None)
    assert ops(direct.graph)[0] == "Gemm"


def test_one_encoder_serves_all_readers_of_an_input() -> None:
    nodes = planned(BRANCHES)
    assert len(nodes.inputs) == 1
    assert nodes.encoders == ()


LINEAR_BOTTLENECK = DEPTHWISE_RELU6.replace(
    "[relu6_1] r1 = Clip (n1, zero, six)", "[skip] r1 = Identity (n1)"
)
STRIDED_SHORTCUT = """
strided (float[N,3,8,8] x) => (float[N,4,2,2] y)
    <float[4,3,3,3] w0, float[4,4,3,3] w1, float[4,4,1,1] ws, float[4,4,1,1] w2>
{
    [conv0] h0 = Conv (x, w0)
    [relu0] r0 = Relu (h0)
    [conv1] h1 = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (r0, w1)
    [shortcut] s = Conv <strides = [2, 2]> (r0, ws)
    [add] a = Add (h1, s)
    [relu1] r1 = Relu (a)
    [pool] p = AveragePool <kernel_shape = [2, 2]> (r1)
    [head] y = Conv (p, w2)
}
"""


def test_a_linear_bottleneck_gets_an_encoder() -> None:
    nodes = planned(LINEAR_BOTTLENECK)
    assert len(nodes.encoders) == 1
    encoder = next(node for node in nodes.graph.nodes if node.name == nodes.encoders[0])
    assert [reader.name for reader in encoder.outputs[0].outputs] == ["pointwise"]
    assert nodes.plan.fates[encoder.name].fate == "encoder"
    assert nodes.plan.activations[encoder.name].signed


def test_spikes_that_are_summed_or_averaged_need_no_encoder() -> None:
    """Currents of the shortcut meet in the membrane; averaged spikes are scaled synapses."""
    assert planned(STRIDED_SHORTCUT).encoders == ()


def test_a_tensor_that_two_synapses_read_gets_one_encoder() -> None:
    text = """
    shared (float[N,4] x) => (float[N,3] y) <float[4,5] w, float[5,3] u, float[5,3] v>
    {
        [fc] h = MatMul (x, w)
        [left] l = MatMul (h, u)
        [right] r = MatMul (h, v)
        [relu] a = Relu (l)
        [relu2] b = Relu (r)
        [add] y = Add (a, b)
    }"""
    nodes = planned(text)
    assert len(nodes.encoders) == 1
    encoder = next(node for node in nodes.graph.nodes if node.name == nodes.encoders[0])
    assert {reader.name for reader in encoder.outputs[0].outputs} == {"left", "right"}


def test_pooled_membranes_are_encoded_before_weights() -> None:
    text = """
    pooled (float[N,1,6,6] x) => (float[N,2,1,1] y) <float[2,1,3,3] w, float[2,2,2,2] v>
    {
        [conv] h = Conv (x, w)
        [most] m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (h)
        [relu] r = LeakyRelu <alpha = 0.5> (h)
        [least] l = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
        [both] b = Add (m, l)
        [head] y = Conv (b, v)
    }"""
    assert len(planned(text).encoders) == 1


def test_products_of_activations_receive_spikes() -> None:
    text = """
    gate (float[N,4] x) => (float[N,3] y) <float[4,4] w, float[4,4] v, float[4,3] u>
    {
        [left] a = MatMul (x, w)
        [right] b = MatMul (x, v)
        [bend] s = Sin (b)
        [gate] g = Mul (a, s)
        [head] y = MatMul (g, u)
    }"""
    nodes = planned(text)
    markers = nodes.plan.markers
    estimates = [n for n in nodes.graph.nodes if markers.get(n.name) == "Estimate"]
    increments = [n for n in nodes.graph.nodes if markers.get(n.name) == "Increment"]
    assert {n.inputs[0].name for n in estimates} == {"a", "b"}
    assert [n.inputs[0].name for n in increments] == ["g"]  # one way out, whoever reads it
    assert len(nodes.encoders) == 1  # behind the product, before the head


def test_linear_operators_lose_their_constants() -> None:
    text = """
    affine (float[N,4] x) => (float[N,8] y) <float[4,4] w, float[4] b, float[4] c, float[1,4] d>
    {
        [fc] h = Gemm (x, w, b)
        [minus] m = Sub (c, h)
        [mean] a = Mean (m, c)
        [beside] y = Concat <axis = 1> (a, d)
    }"""
    model = build(text.replace("float[N,", "float[1,"))
    graph = gs.import_onnx(model)
    streams = {"x", "h", "m", "a", "y"}
    for node in list(graph.nodes):
        linearise(graph, node, streams, ())
    graph.toposort()
    x = np.random.default_rng(0).normal(size=(3, 1, 4)).astype(np.float32)
    source = Session(model)
    zero = source.run({"x": np.zeros((1, 4), np.float32)})["y"]
    for row in x:
        expected = source.run({"x": row})["y"] - zero
        np.testing.assert_allclose(answers(graph, {"x": row})["y"], expected, atol=1e-6)

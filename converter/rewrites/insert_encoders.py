"""Insert encoders: Identity nodes that later become neurons, so that spikes meet every synapse.

Two places need one:

* The input, if it is to be spikes. On an 8-bit grid x = offset + k q the encoder carries k in
  graded bit-planes, without loss: Sub(offset) -> Identity -> Add(offset).
* A synapse whose input is analog: the sum of currents behind another synapse without activation
  (linear bottlenecks), or a pooled membrane.

Scaled or averaged spikes are not analog: the factor belongs to the synapse that follows.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_graphsurgeon as gs

from onnx2snn.converter.calibration.input_grid import InputGrid
from onnx2snn.converter.graph.moves import MOVES
from onnx2snn.converter.graph.rewiring import Names, insert_after, producer
from onnx2snn.converter.planning.plan import Plan, frontier
from onnx2snn.ir.grammar import SHAPE_OPS
from onnx2snn.ir.linear import LINEAR_OPS, is_synapse


def insert_input_encoders(
    graph: gs.Graph, plan: Plan, grids: Mapping[str, InputGrid]
) -> dict[str, str]:
    """Put an encoder behind every tensor that becomes a stream.

    Returns:
        The tensor by name of its encoder.
    """
    names = Names(graph)
    encoders: dict[str, str] = {}
    for tensor in frontier(graph, plan):
        readers = [reader for reader in tensor.outputs if reader.op not in SHAPE_OPS]
        grid = grids[tensor.name]
        label = names.fresh(f"{tensor.name}/encoder")
        nodes = _encoder_chain(tensor, grid, label, names)
        current = nodes[-1].outputs[0]
        for reader in readers:
            reader.inputs = [current if item is tensor else item for item in reader.inputs]
        source = producer(tensor)
        if source is None:
            graph.nodes[:0] = nodes
        else:
            insert_after(graph, source, *nodes)
        encoders[label] = tensor.name
    return encoders


def _encoder_chain(tensor: gs.Tensor, grid: InputGrid, label: str, names: Names) -> list[gs.Node]:
    """Return Sub(offset), Identity, Add(offset), or Identity alone where silence is zero."""
    steps = [("Sub", grid.offset), ("Identity", None), ("Add", grid.offset)]
    if not grid.offset.any():
        steps = [("Identity", None)]
    nodes: list[gs.Node] = []
    for op, offset in steps:
        name = label if op == "Identity" else names.fresh(f"{label}/{op.lower()}")
        source = nodes[-1].outputs[0] if nodes else tensor
        constants = [] if offset is None else [gs.Constant(f"{name}/offset", offset)]
        output = gs.Variable(f"{name}/out", dtype=tensor.dtype, shape=tensor.shape)
        nodes.append(gs.Node(op, name, inputs=[source, *constants], outputs=[output]))
    return nodes


AVERAGE_POOLS = ("AveragePool", "GlobalAveragePool")


def analog_tensors(
    graph: gs.Graph, plan: Plan, spiking_pools: bool, pool_neurons: bool = False
) -> set[str]:
    """Return the streams that are sums of currents rather than (scaled) spikes.

    With ``pool_neurons`` averages of spikes count as such, too.
    """
    analog: set[str] = set()
    for node in graph.nodes:
        role = plan.role(node)
        from_analog = any(tensor.name in analog for tensor in node.inputs)
        sums = is_synapse(node.op) or (pool_neurons and node.op in AVERAGE_POOLS)
        currents = role == "linear" and (sums or from_analog)
        pooled = role == "spiking-pool" and (from_analog or not spiking_pools)
        if currents or pooled or plan.markers.get(node.name) == "Increment":
            analog.update(tensor.name for tensor in node.outputs)
    return analog


def insert_synapse_encoders(
    graph: gs.Graph, plan: Plan, *, spiking_pools: bool, pool_neurons: bool = False
) -> tuple[str, ...]:
    """Put an encoder in front of every synapse that would receive analog values.

    The operands of a product of two activations are such synapses, too.
    """
    analog = analog_tensors(graph, plan, spiking_pools, pool_neurons)
    names = Names(graph)
    encoders: dict[str, gs.Node] = {}
    for node in list(graph.nodes):
        for index in _spiking_positions(node, plan):
            tensor = node.inputs[index]
            if tensor.name not in analog:
                continue
            if tensor.name not in encoders:
                name = names.fresh(f"{tensor.name}/encoder")
                output = gs.Variable(f"{name}/out", dtype=tensor.dtype, shape=tensor.shape)
                encoder = gs.Node("Identity", name, inputs=[tensor], outputs=[output])
                encoders[tensor.name] = encoder
                source = producer(tensor)
                if source is not None:
                    insert_after(graph, source, encoder)
            node.inputs[index] = encoders[tensor.name].outputs[0]
    return tuple(encoder.name for encoder in encoders.values())


def holds_no_negative(tensor: gs.Tensor, plan: Plan) -> bool:
    """Whether a tensor is made of unsigned spikes by pools and moves alone: never negative."""
    node = producer(tensor)
    if node is None:
        return False
    if node.name in plan.activations:
        return not plan.activations[node.name].signed
    if plan.role(node) == "spiking-pool" or node.op in (*AVERAGE_POOLS, *MOVES):
        return holds_no_negative(node.inputs[0], plan)
    return False


def _spiking_positions(node: gs.Node, plan: Plan) -> list[int]:
    """Return the inputs of a node at which spikes must arrive."""
    if plan.markers.get(node.name) == "Estimate":
        multiplied = any(plan.role(reader) == "bilinear" for reader in node.outputs[0].outputs)
        return [0] if multiplied else []
    if plan.role(node) != "linear" or not is_synapse(node.op):
        return []
    positions = LINEAR_OPS[node.op].streams
    return [i for i in range(len(node.inputs)) if positions is None or i in positions]

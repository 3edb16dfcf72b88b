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

from onnx2snn.converter.input_grid import InputGrid
from onnx2snn.converter.plan import Plan
from onnx2snn.converter.rewiring import Names
from onnx2snn.ir.linear import LINEAR_OPS, is_synapse


def insert_input_encoders(graph: gs.Graph, grids: Mapping[str, InputGrid]) -> tuple[str, ...]:
    """Put an encoder behind every graph input; return their node names."""
    names = Names(graph)
    encoders = []
    for tensor in graph.inputs:
        readers = list(tensor.outputs)
        grid = grids[tensor.name]
        current, nodes = tensor, []
        label = names.fresh(f"{tensor.name}/encoder")
        steps = [("Sub", grid.offset), ("Identity", None), ("Add", grid.offset)]
        if not grid.offset.any():
            steps = [("Identity", None)]
        for op, offset in steps:
            name = label if op == "Identity" else names.fresh(f"{label}/{op.lower()}")
            constants = [] if offset is None else [gs.Constant(f"{name}/offset", offset)]
            output = gs.Variable(f"{name}/out", dtype=tensor.dtype, shape=tensor.shape)
            nodes.append(gs.Node(op, name, inputs=[current, *constants], outputs=[output]))
            current = output
        for reader in readers:
            reader.inputs = [current if item is tensor else item for item in reader.inputs]
        graph.nodes[:0] = nodes
        encoders.append(label)
    return tuple(encoders)


def analog_tensors(graph: gs.Graph, plan: Plan, spiking_pools: bool) -> set[str]:
    """Return the streams that are sums of currents rather than (scaled) spikes."""
    analog: set[str] = set()
    for node in graph.nodes:
        role = plan.role(node)
        from_analog = any(tensor.name in analog for tensor in node.inputs)
        currents = role == "linear" and (is_synapse(node.op) or from_analog)
        pooled = role == "spiking-pool" and (from_analog or not spiking_pools)
        if currents or pooled:
            analog.update(tensor.name for tensor in node.outputs)
    return analog


def insert_synapse_encoders(graph: gs.Graph, plan: Plan, *, spiking_pools: bool) -> tuple[str, ...]:
    """Put an encoder in front of every synapse that would receive analog values."""
    analog = analog_tensors(graph, plan, spiking_pools)
    names = Names(graph)
    encoders: dict[str, gs.Node] = {}
    for node in list(graph.nodes):
        if plan.role(node) != "linear" or not is_synapse(node.op):
            continue
        positions = LINEAR_OPS[node.op].streams
        for index, tensor in enumerate(node.inputs):
            if tensor.name not in analog or (positions is not None and index not in positions):
                continue
            if tensor.name not in encoders:
                name = names.fresh(f"{tensor.name}/encoder")
                output = gs.Variable(f"{name}/out", dtype=tensor.dtype, shape=tensor.shape)
                encoder = gs.Node("Identity", name, inputs=[tensor], outputs=[output])
                encoders[tensor.name] = encoder
                graph.nodes.append(encoder)
            node.inputs[index] = encoders[tensor.name].outputs[0]
    graph.toposort()
    return tuple(encoder.name for encoder in encoders.values())

"""Insert count neurons: a layer of neurons on every tensor that is decoded.

The read-out then counts the spikes of output neurons and no longer sums their input current. The
neuron is an Identity behind the tensor; it takes over the tensor's name, so outputs keep theirs.
Where the tensor is spikes already (an activation comes last), they are counted as they are.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import Names, insert_after, producer
from onnx2snn.converter.planning.plan import Plan, read_out_tensors


def insert_count_neurons(graph: gs.Graph, plan: Plan) -> dict[str, str]:
    """Put a neuron in front of every read-out.

    Returns:
        The current (the neuron's input, a new tensor) by name of the neuron.
    """
    names = Names(graph)
    currents: dict[str, str] = {}
    for name in read_out_tensors(graph, plan):
        tensor = graph.tensors()[name]
        source = producer(tensor)
        if source is None or source.name in plan.activations:
            continue
        label = names.fresh(f"{name}/count")
        current = gs.Variable(f"{label}/arriving", dtype=tensor.dtype, shape=tensor.shape)
        inner = [r for r in tensor.outputs if plan.fates[r.name].fate != "read-out"]
        source.outputs = [current if item is tensor else item for item in source.outputs]
        for reader in inner:
            reader.inputs = [current if item is tensor else item for item in reader.inputs]
        insert_after(graph, source, gs.Node("Identity", label, inputs=[current], outputs=[tensor]))
        currents[label] = current.name
    return currents

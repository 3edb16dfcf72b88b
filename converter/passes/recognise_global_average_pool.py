"""The mean over all spatial axes is a GlobalAveragePool.

    ReduceMean(x, axes=[2, 3], keepdims=1)  →  GlobalAveragePool(x)
    ReduceMean(x, axes=[2, 3], keepdims=0)  →  Flatten(GlobalAveragePool(x))

Refuses: other axes (means over tokens or channels), computed axes, unknown or lower rank.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import Names, constant_operand, insert_after, is_op, rank
from onnx2snn.ir.findings import Change


def recognise_global_average_pool(graph: gs.Graph) -> list[Change]:
    """Replaces spatial ReduceMean by GlobalAveragePool, which keeps its name."""
    names = Names(graph)
    changes = []
    for node in [node for node in graph.nodes if is_op(node, "ReduceMean")]:
        axes, count = constant_operand(node, 1), rank(node.inputs[0])
        if axes is None or count is None or count < 3:
            continue
        if sorted(int(axis) % count for axis in axes) != list(range(2, count)):
            continue
        keeps = node.attrs.get("keepdims", 1)
        node.op = "GlobalAveragePool"
        node.attrs.clear()
        del node.inputs[1]
        if not keeps:
            result = node.outputs[0]
            pooled = gs.Variable(names.fresh(f"{result.name}.pooled"), result.dtype)
            if result.shape is not None:
                pooled.shape = [*result.shape, *[1] * (count - 2)]
            node.outputs[0] = pooled
            name = names.fresh(f"{node.name}.flatten")
            insert_after(graph, node, gs.Node("Flatten", name, {"axis": 1}, [pooled], [result]))
        changes.append(Change(node=node.name, op="ReduceMean", became="GlobalAveragePool"))
    return changes

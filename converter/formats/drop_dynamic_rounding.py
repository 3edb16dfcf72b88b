"""DynamicQuantizeLinear is a quantiser that saturates nowhere: without its rounding it is nothing.

    q, s, z = DynamicQuantizeLinear(x);  f(DQ(q, 1, z)) * s     →  f(x)        f linear

s and z are chosen from the least and greatest entry of x, so all of x is representable (ONNX
operator specification). With q = x, s = 1 and z = 0 the products that follow are the same up to
the rounding of at most s / 2 an entry. They also no longer depend on the other samples of a batch.

Refuses: quantised values or zero points that are read by anything but DequantizeLinear.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    detach,
    drop_dead,
    is_op,
    is_output,
    redirect,
    scalar_value,
)
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.findings import Change, Finding


def drop_dynamic_rounding(graph: gs.Graph) -> list[Change]:
    """Takes quantisers that scale themselves to their data out.

    Raises:
        UnsupportedOpError: their integers are used otherwise than in products.
    """
    nodes = [node for node in graph.nodes if is_op(node, "DynamicQuantizeLinear")]
    problems = [node for node in nodes if not _is_droppable(graph, node)]
    if problems:
        raise UnsupportedOpError(
            "integers of dynamic quantisation are used outside of products",
            findings=[_refusal(node) for node in problems],
        )
    names = Names(graph)
    for node in nodes:
        _drop(graph, node, names)
    drop_dead(graph)
    return [
        Change(node=node.name, op=node.op, became="nothing: rounding is the neurons'")
        for node in nodes
    ]


def _is_droppable(graph: gs.Graph, node: gs.Node) -> bool:
    integers, scale, zero = node.outputs
    if any(is_output(graph, tensor) for tensor in node.outputs):
        return False
    readers = [*integers.outputs, *zero.outputs]
    scales_products = all(is_op(reader, "Mul", "DequantizeLinear") for reader in scale.outputs)
    return scales_products and all(
        is_op(reader, "DequantizeLinear")
        and reader.inputs[0] is integers
        and len(reader.inputs) > 2
        and reader.inputs[2] is zero
        and (reader.inputs[1] is scale or scalar_value(reader.inputs[1]) == 1.0)
        for reader in readers
    )


def _drop(graph: gs.Graph, node: gs.Node, names: Names) -> None:
    x, (integers, scale, _) = node.inputs[0], list(node.outputs)
    for reader in list(integers.outputs):
        redirect(graph, reader.outputs[0], x)
        detach([reader])
    one = gs.Constant(names.fresh(f"{node.name}.scale"), np.ones((), np.float32))
    redirect(graph, scale, one)
    graph.nodes = [item for item in graph.nodes if item.outputs]
    detach([node])
    graph.nodes = [item for item in graph.nodes if item is not node]


def _refusal(node: gs.Node) -> Finding:
    return Finding(
        code="unsupported-quantiser",
        message="its integers are read by something else than a product of integers",
        severity="error",
        node=node.name,
        op=node.op,
        opset=21,
        remedy="convert the float model it was quantised from",
    )

"""Linearise: the bias-free form of a linear operator.

f(x) = A x + b   becomes   x -> A x;   b is part of the constant current of the next neuron
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import bypass, insert_before, operand
from onnx2snn.ir.linear import LINEAR_OPS


def linearise(
    graph: gs.Graph, node: gs.Node, streams: Collection[str], decoded: Collection[str]
) -> None:
    """Rewrite one linear node in place; additions of constants disappear.

    Args:
        graph: the graph of the node.
        node: a linear node.
        streams: names of the tensors that are streams.
        decoded: names of the streams that are read out; they must stay as tensors.
    """
    for position in LINEAR_OPS[node.op].bias:
        if position < len(node.inputs):
            node.inputs = node.inputs[:position]
    carries = [tensor.name in streams for tensor in node.inputs]
    if node.op in ("Add", "Sum", "Sub"):
        _drop_constants(graph, node, carries, decoded)
    elif node.op == "Mean":
        _weigh(graph, node, carries)
    elif node.op == "Resize":
        node.attrs.pop("extrapolation_value", None)
    elif node.op == "Pad":
        if operand(node, 2) is not None:
            node.inputs[2] = gs.Variable.empty()
    elif node.op in ("Concat", "Where"):
        _zero_constants(graph, node, carries)


def _drop_constants(
    graph: gs.Graph, node: gs.Node, carries: list[bool], decoded: Collection[str]
) -> None:
    """Add and Sum lose their constants, Sub keeps the sign of the stream that is left."""
    if all(carries):
        return
    kept = [t for t, carried in zip(node.inputs, carries, strict=True) if carried]
    if len(kept) > 1:
        node.inputs = kept
        return
    node.op = "Neg" if node.op == "Sub" and carries[1] else "Identity"
    node.attrs, node.inputs = {}, kept
    if node.op == "Identity" and node.outputs[0].name not in decoded:
        bypass(graph, node)


def _weigh(graph: gs.Graph, node: gs.Node, carries: list[bool]) -> None:
    """The mean of streams and constants is a sum of streams, divided by the number of all."""
    if all(carries):
        return
    share = gs.Constant(f"{node.name}/share", np.asarray(1 / len(carries), np.float32))
    total = gs.Variable(f"{node.name}/total", dtype=np.float32)
    kept = [t for t, carried in zip(node.inputs, carries, strict=True) if carried]
    insert_before(graph, node, gs.Node("Sum", f"{node.name}/sum", inputs=kept, outputs=[total]))
    node.op, node.inputs = "Mul", [total, share]


def _zero_constants(graph: gs.Graph, node: gs.Node, carries: list[bool]) -> None:
    """Replace constant branches by zeros of the same shape."""
    first = 1 if node.op == "Where" else 0
    for index, tensor in list(enumerate(node.inputs))[first:]:
        if carries[index]:
            continue
        if isinstance(tensor, gs.Constant):
            zeros = np.zeros_like(np.asarray(tensor.values))
            node.inputs[index] = gs.Constant(f"{node.name}/silent_{index}", zeros)
        else:
            zero = gs.Constant(f"{node.name}/zero_{index}", np.zeros((), np.float32))
            silent = gs.Variable(f"{node.name}/silent_{index}", dtype=np.float32)
            factor = gs.Node("Mul", f"{node.name}/mute_{index}", inputs=[tensor, zero])
            factor.outputs = [silent]
            graph.nodes.append(factor)
            node.inputs[index] = silent

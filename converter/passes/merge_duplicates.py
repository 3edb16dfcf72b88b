"""Two nodes that compute the same from the same tensors become one.

    y1 = f(x), y2 = f(x)  →  y1 = y2 = f(x)       equal operator, attributes and inputs

Weights and shapes are compared by tensor, small constants (up to 64 elements) by value.

Refuses: activations and weighted sums (each is a layer with a name of its own), nodes with graphs
inside, and nodes that compute a graph output.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import drop_dead, has_subgraph, is_op, is_output, redirect
from onnx2snn.ir.findings import Change

_STRUCTURAL = (
    *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Concat"),
    *("Pad", "Expand", "Shape", "Size", "Gather", "Cast", "Add", "Sub", "Mul", "Div", "Neg"),
    *("AveragePool", "MaxPool", "GlobalAveragePool", "ReduceMean", "Greater", "Less", "Resize"),
    *("QuantizeLinear", "DequantizeLinear"),
)
_SMALL = 64


def merge_duplicates(graph: gs.Graph) -> list[Change]:
    """Keeps the first of equal structural nodes."""
    first_of: dict[Hashable, gs.Node] = {}
    changes = []
    for node in list(graph.nodes):
        if not is_op(node, *_STRUCTURAL) or has_subgraph(node):
            continue
        first = first_of.setdefault(_key(node), node)
        if first is node or any(is_output(graph, output) for output in node.outputs):
            continue
        for ours, theirs in zip(node.outputs, first.outputs, strict=True):
            redirect(graph, ours, theirs)
        changes.append(Change(node=node.name, op=node.op, became=f"the same as '{first.name}'"))
    drop_dead(graph)
    return changes


def _key(node: gs.Node) -> Hashable:
    attributes = tuple(sorted((name, _frozen(value)) for name, value in node.attrs.items()))
    return (
        node.op,
        len(node.outputs),
        tuple(not output.is_empty() for output in node.outputs),
        attributes,
        tuple(_identity(tensor) for tensor in node.inputs),
    )


def _frozen(value: object) -> str:
    if isinstance(value, gs.Constant):
        return f"{np.asarray(value.values).tobytes()!r}"
    return repr(value)


def _identity(tensor: gs.Tensor) -> Hashable:
    if isinstance(tensor, gs.Constant) and math.prod(tensor.shape) <= _SMALL:
        values = np.asarray(tensor.values)
        return (values.dtype.str, values.shape, values.tobytes())
    return "" if tensor.is_empty() else id(tensor)

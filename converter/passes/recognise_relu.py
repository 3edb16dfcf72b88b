"""ReLU and its clipped forms, written with Max, Min and Clip.

    Max(x, 0)  →  Relu(x)             Clip(x, 0, inf)  →  Relu(x)
    Max(x, a)  →  Clip(x, a, )        Min(x, b)        →  Clip(x, , b)
    Clip(Clip(x, a, b), c, d)  →  Clip(x, max(a, c), min(b, d)) up to crossing bounds
    with Relu read as Clip(x, 0, inf);  Mul(x, Cast(x > 0)) and Where(x > 0, x, 0)  →  Relu(x)

Of a pair, the name of the activation is kept: that of Relu or Clip, and of two such that of the
last.

Refuses: bounds that are computed or differ between elements, a Relu or Clip that something else
reads, bounds that cross.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    drop_dead,
    is_op,
    operand,
    producer,
    scalar_value,
    set_constant,
    sole_reader,
)
from onnx2snn.ir.findings import Change


def recognise_relu(graph: gs.Graph) -> list[Change]:
    """Writes every clipping of a tensor by constants as one Relu or Clip."""
    names = Names(graph)
    changes = [change for node in list(graph.nodes) for change in _recognise(graph, node, names)]
    drop_dead(graph)
    return changes


def _recognise(graph: gs.Graph, node: gs.Node, names: Names) -> list[Change]:
    found = _bounds(node) or _gated(node)
    if found is None or node.outputs[0].dtype not in (np.float32, np.float64, np.float16):
        return []
    x, low, high = found
    absorbed = None
    above = producer(x)
    if above is not None and sole_reader(graph, x) is node:
        inner = _bounds(above)
        if inner is not None and max(inner[1], low) <= min(inner[2], high):
            x, low, high = inner[0], max(inner[1], low), min(inner[2], high)
            absorbed = above
    op = "Relu" if (low, high) == (0.0, math.inf) else "Clip"
    if low == -math.inf and high == math.inf:
        return []
    if absorbed is None and node.op == op and not _has_idle_bounds(node, low, high):
        return []
    changes = [Change(node=node.name, op=node.op, became=op)]
    if absorbed is not None:
        changes = _absorb(absorbed, node, op)
    _write(node, op, x, low, high, names)
    return changes


def _absorb(inner: gs.Node, outer: gs.Node, op: str) -> list[Change]:
    """Name the one node that is left after the activation of the two."""
    kept, gone = outer, inner
    if is_op(inner, "Relu", "Clip") and not is_op(outer, "Relu", "Clip"):
        kept, gone = inner, outer
    changes = [
        Change(node=kept.name, op=kept.op, became=op),
        Change(node=gone.name, op=gone.op, became=f"a bound of '{kept.name}'"),
    ]
    inner.name, outer.name = gone.name, kept.name
    return changes


def _has_idle_bounds(node: gs.Node, low: float, high: float) -> bool:
    """Whether a bound is written out that bounds nothing."""
    if node.op == "Relu":
        return False
    return (low == -math.inf and operand(node, 1) is not None) or (
        high == math.inf and operand(node, 2) is not None
    )


def _bounds(node: gs.Node) -> tuple[gs.Tensor, float, float] | None:
    """The node as a clipping of ``x`` between two numbers."""
    if is_op(node, "Relu"):
        return node.inputs[0], 0.0, math.inf
    if is_op(node, "Clip"):
        low = _bound(operand(node, 1), -math.inf)
        high = _bound(operand(node, 2), math.inf)
        return None if low is None or high is None else (node.inputs[0], low, high)
    if is_op(node, "Max", "Min") and len(node.inputs) == 2:
        for index in (0, 1):
            value = scalar_value(node.inputs[1 - index])
            if value is not None and _adds_no_axes(node, 1 - index):
                low, high = (value, math.inf) if node.op == "Max" else (-math.inf, value)
                return node.inputs[index], low, high
    return None


def _bound(tensor: gs.Tensor | None, default: float) -> float | None:
    if tensor is None:
        return default
    value = scalar_value(tensor)
    if value is None:
        return None
    # Exporters write "no bound" as the largest number of the type.
    largest = float(np.finfo(np.float32).max)
    return math.copysign(math.inf, value) if abs(value) >= largest else value


def _adds_no_axes(node: gs.Node, index: int) -> bool:
    constant, x = node.inputs[index], node.inputs[1 - index]
    if math.prod(constant.shape) == 1:
        return len(constant.shape) <= (0 if x.shape is None else len(x.shape))
    return x.shape is not None and list(x.shape) == list(node.outputs[0].shape or [])


def _gated(node: gs.Node) -> tuple[gs.Tensor, float, float] | None:
    """``Where(x > 0, x, 0)`` and ``Mul(x, Cast(x > 0))``."""
    if is_op(node, "Where"):
        condition, x = producer(node.inputs[0]), node.inputs[1]
        if _is_positive_test(condition, x) and scalar_value(node.inputs[2]) == 0.0:
            return x, 0.0, math.inf
    if is_op(node, "Mul"):
        for index in (0, 1):
            cast, x = producer(node.inputs[1 - index]), node.inputs[index]
            if cast is None or not is_op(cast, "Cast", "CastLike"):
                continue
            if _is_positive_test(producer(cast.inputs[0]), x):
                return x, 0.0, math.inf
    return None


def _is_positive_test(node: gs.Node | None, x: gs.Tensor) -> bool:
    return (
        is_op(node, "Greater", "GreaterOrEqual")
        and node is not None
        and node.inputs[0] is x
        and scalar_value(node.inputs[1]) == 0.0
    )


def _write(node: gs.Node, op: str, x: gs.Tensor, low: float, high: float, names: Names) -> None:
    node.op = op
    node.attrs.clear()
    node.inputs = [x]
    if op == "Relu":
        return
    dtype = node.outputs[0].dtype
    for index, label, value in ((1, "min", low), (2, "max", high)):
        if math.isfinite(value):
            set_constant(node, index, np.array(value, dtype), names, label)

"""LeakyReLU and PReLU, written with Max, Where, or a sum of two ReLUs.

    Max(x, a x)                      →  LeakyRelu(x, a)    0 <= a <= 1
    Where(x > 0, x, a x)             →  LeakyRelu(x, a)    any a
    Add(Relu(x), a Min(x, 0))        →  LeakyRelu(x, a)
    Sub(Relu(x), a Relu(-x))         →  LeakyRelu(x, a)
    PRelu(x, slope)                  →  LeakyRelu(x, a)    one slope for all elements

Refuses: factors that are computed; a per-channel factor stays as it is (PRelu keeps its own).
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import drop_dead, is_op, producer, scalar_value
from onnx2snn.ir.findings import Change


def recognise_leaky_relu(graph: gs.Graph) -> list[Change]:
    """Writes every LeakyReLU as one node, named after the node that computed its result."""
    changes = []
    for node in list(graph.nodes):
        found = _match(node)
        if found is None or node.outputs[0].dtype not in (np.float32, np.float64, np.float16):
            continue
        x, alpha = found
        changes.append(Change(node=node.name, op=node.op, became="LeakyRelu"))
        node.op = "LeakyRelu"
        node.attrs.clear()
        node.attrs["alpha"] = float(alpha)
        node.inputs = [x]
    drop_dead(graph)
    return changes


def _match(node: gs.Node) -> tuple[gs.Tensor, float] | None:
    if is_op(node, "Max") and len(node.inputs) == 2:
        for index in (0, 1):
            x = node.inputs[index]
            alpha = _multiple(node.inputs[1 - index], x)
            if alpha is not None and 0.0 <= alpha <= 1.0:
                return x, alpha
    if is_op(node, "Where"):
        return _match_where(node)
    if is_op(node, "Add", "Sub"):
        return _match_sum(node)
    if is_op(node, "PRelu"):
        slope = scalar_value(node.inputs[1])
        shape = node.inputs[0].shape
        if slope is not None and shape is not None and len(node.inputs[1].shape) <= len(shape):
            return node.inputs[0], slope
    return None


def _multiple(tensor: gs.Tensor, x: gs.Tensor) -> float | None:
    """``a`` if the tensor is ``a x``."""
    node = producer(tensor)
    if is_op(node, "Mul") and node is not None:
        for index in (0, 1):
            if node.inputs[index] is x:
                return _factor(node, 1 - index)
    if is_op(node, "Neg") and node is not None and node.inputs[0] is x:
        return -1.0
    return None


def _factor(node: gs.Node, index: int) -> float | None:
    """The constant factor of a Mul that does not change the shape of its other operand."""
    x, result = node.inputs[1 - index], node.outputs[0]
    if x.shape is None or result.shape is None or len(x.shape) != len(result.shape):
        return None
    return scalar_value(node.inputs[index])


def _match_where(node: gs.Node) -> tuple[gs.Tensor, float] | None:
    test = producer(node.inputs[0])
    if test is None or not is_op(test, "Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
        return None
    if scalar_value(test.inputs[1]) != 0.0:
        return None
    positive, negative = node.inputs[1], node.inputs[2]
    if test.op in ("Less", "LessOrEqual"):
        positive, negative = negative, positive
    x = test.inputs[0]
    alpha = _multiple(negative, x)
    return None if positive is not x or alpha is None else (x, alpha)


def _match_sum(node: gs.Node) -> tuple[gs.Tensor, float] | None:
    sign = 1.0 if node.op == "Add" else -1.0
    for first, second in ((0, 1), (1, 0)) if node.op == "Add" else ((0, 1),):
        relu = producer(node.inputs[first])
        if relu is None or not is_op(relu, "Relu"):
            continue
        x = relu.inputs[0]
        scaled = producer(node.inputs[second])
        if scaled is None or not is_op(scaled, "Mul"):
            continue
        for index in (0, 1):
            alpha = _factor(scaled, 1 - index)
            side = _negative_part(producer(scaled.inputs[index]), x)
            if alpha is not None and side is not None:
                return x, sign * alpha * side
    return None


def _negative_part(node: gs.Node | None, x: gs.Tensor) -> float | None:
    """``+1`` if the node is min(x, 0), ``-1`` if it is relu(-x) = -min(x, 0)."""
    if node is None:
        return None
    if is_op(node, "Relu") and _multiple(node.inputs[0], x) == -1.0:
        return -1.0
    if is_op(node, "Min") and len(node.inputs) == 2:
        for index in (0, 1):
            if node.inputs[index] is x and scalar_value(node.inputs[1 - index]) == 0.0:
                return 1.0
    if is_op(node, "Clip") and node.inputs[0] is x and len(node.inputs) == 3:
        low, high = node.inputs[1], scalar_value(node.inputs[2])
        if high == 0.0 and low.is_empty():
            return 1.0
    return None

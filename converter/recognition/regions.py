"""Regions: parts of a graph that compute one tensor from one other, evaluated in numpy.

Exporters write one activation in many ways: other orders, other factorings, Where for Max. What
they share is the function. So a composite is recognised by what it computes, on points in float64,
not by how it is written; after the pass ONNX Runtime compares whole models as after every pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from onnx2snn.converter.graph.rewiring import (
    constant_values,
    is_op,
    operand,
    producer,
    rank,
)
from onnx2snn.converter.recognition.axis_rules import AXIS_RULES, Rule, axes_of

Values = NDArray[np.float64]

MOST_NODES = 24
_erf = np.vectorize(math.erf, otypes=[np.float64])


def _clip(inputs: list[Values], node: gs.Node) -> Values:
    low = inputs[1] if operand(node, 1) is not None else -np.inf
    high = inputs[2] if operand(node, 2) is not None else np.inf
    return np.minimum(np.maximum(inputs[0], low), high)


def _elu(inputs: list[Values], node: gs.Node) -> Values:
    x, alpha = inputs[0], float(node.attrs.get("alpha", 1.0))
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _hard_sigmoid(inputs: list[Values], node: gs.Node) -> Values:
    alpha, beta = float(node.attrs.get("alpha", 0.2)), float(node.attrs.get("beta", 0.5))
    return np.clip(alpha * inputs[0] + beta, 0.0, 1.0)


def _leaky(inputs: list[Values], node: gs.Node) -> Values:
    x = inputs[0]
    return np.where(x < 0, float(node.attrs.get("alpha", 0.01)) * x, x)


def _power(inputs: list[Values], _node: gs.Node) -> Values:
    return np.asarray(np.power(inputs[0], inputs[1]))


_RULES: Mapping[str, Rule] = {
    "Abs": lambda i, n: np.abs(i[0]),
    "Add": lambda i, n: i[0] + i[1],
    "Cast": lambda i, n: np.asarray(i[0], np.float64),
    "Clip": _clip,
    "Div": lambda i, n: i[0] / i[1],
    "Elu": _elu,
    "Erf": lambda i, n: _erf(i[0]),
    "Exp": lambda i, n: np.exp(i[0]),
    "Greater": lambda i, n: np.asarray(i[0] > i[1], np.float64),
    "GreaterOrEqual": lambda i, n: np.asarray(i[0] >= i[1], np.float64),
    "HardSigmoid": _hard_sigmoid,
    "Identity": lambda i, n: i[0],
    "LeakyRelu": _leaky,
    "Less": lambda i, n: np.asarray(i[0] < i[1], np.float64),
    "LessOrEqual": lambda i, n: np.asarray(i[0] <= i[1], np.float64),
    "Log": lambda i, n: np.log(i[0]),
    "Max": lambda i, n: np.maximum(i[0], i[1]) if len(i) == 2 else i[0],
    "Min": lambda i, n: np.minimum(i[0], i[1]) if len(i) == 2 else i[0],
    "Mul": lambda i, n: i[0] * i[1],
    "Neg": lambda i, n: -i[0],
    "Pow": _power,
    "Reciprocal": lambda i, n: 1.0 / i[0],
    "Relu": lambda i, n: np.maximum(i[0], 0.0),
    "Sigmoid": lambda i, n: 1.0 / (1.0 + np.exp(-i[0])),
    "Softplus": lambda i, n: np.logaddexp(i[0], 0.0),
    "Sqrt": lambda i, n: np.sqrt(i[0]),
    "Sub": lambda i, n: i[0] - i[1],
    "Tanh": lambda i, n: np.tanh(i[0]),
    "Where": lambda i, n: np.where(i[0] != 0, i[1], i[2]),
    **AXIS_RULES,
}

POINTWISE = tuple(op for op in _RULES if op not in AXIS_RULES)
WITH_MEANS = (*POINTWISE, "ReduceMean", "ReduceSum")
"""Means over the last axis only, and constants along it."""
WITH_AXES = tuple(_RULES)
"""Any axes, and constants of any shape."""


@dataclass(frozen=True)
class Region:
    """The nodes that compute ``last.outputs[0]`` from ``x`` and constants, in order."""

    x: gs.Tensor
    nodes: tuple[gs.Node, ...]

    @property
    def last(self) -> gs.Node:
        """Return the node that computes the result."""
        return self.nodes[-1]

    def has(self, *ops: str) -> bool:
        """Whether one of these operators is in it."""
        return any(node.op in ops for node in self.nodes)

    def scalars(self) -> tuple[float, ...]:
        """Return the constants of one element, without repetition."""
        found: dict[float, None] = {}
        for node in self.nodes:
            for tensor in node.inputs:
                values = constant_values(tensor)
                if values is not None and values.size == 1 and values.dtype.kind in "fiu":
                    found[float(values.reshape(())[()])] = None
        return tuple(found)

    def evaluate(self, x: Values) -> Values | None:
        """Return the result for ``x`` in float64; None where it is not finite."""
        known = {id(self.x): np.asarray(x, np.float64)}
        with np.errstate(all="ignore"):
            for node in self.nodes:
                inputs = [_value(tensor, known) for tensor in node.inputs]
                known[id(node.outputs[0])] = np.asarray(_RULES[node.op](inputs, node))
        result = known[id(self.last.outputs[0])]
        return result if np.isfinite(result).all() else None


def _value(tensor: gs.Tensor, known: Mapping[int, Values]) -> Values:
    if id(tensor) in known:
        return known[id(tensor)]
    values = constant_values(tensor)
    if values is None:  # an input left out
        return np.zeros(())
    return np.asarray(values.reshape(()) if values.size == 1 else values, np.float64)


def regions(positions: Mapping[int, int], node: gs.Node, ops: tuple[str, ...]) -> Iterator[Region]:
    """Yield the regions of two nodes and more that end in this node, the smallest first.

    Args:
        positions: place of every node, by id, in topological order.
        node: where the regions end.
        ops: what they are made of.
    """
    if not _belongs(node, ops):
        return
    inside, frontier = [node], _variables(node)
    while frontier and len(inside) < MOST_NODES:
        if len(frontier) == 1 and len(inside) > 1 and _same_rank(frontier[0], node):
            yield Region(frontier[0], tuple(sorted(inside, key=lambda n: positions[id(n)])))
        latest = max(frontier, key=lambda tensor: positions.get(id(producer(tensor)), -1))
        above = producer(latest)
        if above is None or not _belongs(above, ops):
            return
        inside.append(above)
        seen = {id(tensor) for tensor in frontier}
        frontier = [tensor for tensor in frontier if tensor is not latest]
        frontier += [tensor for tensor in _variables(above) if id(tensor) not in seen]


def positions_of(graph: gs.Graph) -> dict[int, int]:
    """Return the place of every node, by id."""
    return {id(node): index for index, node in enumerate(graph.nodes)}


def _belongs(node: gs.Node, ops: tuple[str, ...]) -> bool:
    if not is_op(node, *ops) or len(node.outputs) != 1:
        return False
    if node.op in ("ReduceMean", "ReduceSum", "Squeeze", "Unsqueeze"):
        axes, count = axes_of(node), rank(node.inputs[0])
        if axes is None or count is None:
            return False
        last = len(axes) == 1 and axes[0] in (-1, count - 1) and node.attrs.get("keepdims", 1)
        if ops is not WITH_AXES and not last:
            return False
    if node.op == "Reshape" and node.attrs.get("allowzero", 0):
        return False
    if node.op in ("Max", "Min") and len(node.inputs) > 2:
        return False
    if node.op == "Cast" and node.outputs[0].dtype not in (np.float32, np.float64, np.bool_):
        return False
    return all(_fits(item, ops) for item in node.inputs if isinstance(item, gs.Constant))


def _fits(constant: gs.Constant, ops: tuple[str, ...]) -> bool:
    """One number, or (beside means over the last axis) numbers along the last axis."""
    if ops is WITH_AXES:
        return True
    leading = tuple(constant.shape)[:-1] if ops is WITH_MEANS else tuple(constant.shape)
    return bool(math.prod(leading) == 1)


def _variables(node: gs.Node) -> list[gs.Tensor]:
    found: dict[int, gs.Tensor] = {}
    for tensor in node.inputs:
        if not isinstance(tensor, gs.Constant) and not tensor.is_empty():
            found[id(tensor)] = tensor
    return list(found.values())


def _same_rank(x: gs.Tensor, node: gs.Node) -> bool:
    return rank(x) is not None and rank(x) == rank(node.outputs[0])

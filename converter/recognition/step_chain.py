"""Chains of scalar arithmetic around a Floor, read as one staircase function.

    y = step * clip(floor(gain x + offset), low, high)

Scalars are multiplied, added and clipped in whatever order an exporter wrote them; the walk goes
from the Floor up to the tensor x and down to every tensor that still is such a staircase.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import is_op, operand, producer, scalar_value, sole_reader

_ROUNDING = {"Floor": 0.0, "Round": 0.5, "Ceil": 1.0}
"""What to add before a Floor so that it rounds as the operator does, ties aside."""

_NEAR = 1e-4


@dataclass(frozen=True)
class Line:
    """``gain x + offset`` clipped to [low, high]."""

    gain: float
    offset: float
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Staircase:
    """``step * clip(floor(gain x + offset), low, high) + shift`` with step, gain > 0.

    Attributes:
        x: the tensor it is a function of.
        last: the node that computes it.
        step: height of a step.
        gain: steps per unit of x.
        offset: where the steps lie.
        low: lowest count; -inf if not bounded.
        high: highest count; inf if not bounded.
        shift: what is added at the end.
    """

    x: gs.Tensor
    last: gs.Node
    step: float
    gain: float
    offset: float
    low: float
    high: float
    shift: float = 0.0


def staircases(graph: gs.Graph, node: gs.Node) -> Iterator[Staircase]:
    """Yield the staircase at a Floor, Round or Ceil and at each scalar operator behind it."""
    if not is_op(node, *_ROUNDING):
        return
    x, line = _before(graph, node.inputs[0])
    offset = line.offset + _ROUNDING[node.op]
    low = _floor(line.low + _ROUNDING[node.op])
    high = _floor(line.high + _ROUNDING[node.op])
    here: Staircase | None = Staircase(x, node, 1.0, line.gain, offset, low, high)
    while here is not None:
        yield here
        here = _behind(graph, here)


def _before(graph: gs.Graph, tensor: gs.Tensor) -> tuple[gs.Tensor, Line]:
    """Walk up while scalars are multiplied, added or clipped and nothing else reads in between."""
    steps: list[tuple[str, float, float]] = []
    while True:
        node = producer(tensor)
        found = scalar_step(node)
        if node is None or found is None or sole_reader(graph, tensor) is None:
            break
        steps.append(found[1])
        tensor = found[0]
    line = Line(1.0, 0.0)
    for step in reversed(steps):
        line = _apply(line, step)
    return tensor, line


def _apply(line: Line, step: tuple[str, float, float]) -> Line:
    kind, a, b = step
    if kind == "clip":
        return replace(line, low=min(max(line.low, a), b), high=max(min(line.high, b), a))
    return Line(line.gain * a, line.offset * a + b, line.low * a + b, line.high * a + b)


def _behind(graph: gs.Graph, here: Staircase) -> Staircase | None:
    result = here.last.outputs[0]
    node = sole_reader(graph, result)
    found = scalar_step(node)
    if node is None or found is None or found[0] is not result:
        return None
    kind, a, b = found[1]
    if kind == "affine":
        step, shift = here.step * a, here.shift * a + b
        return replace(here, last=node, step=step, shift=shift)
    low, high = ((bound - here.shift) / here.step for bound in (a, b))
    if not (_whole(low) and _whole(high)):
        return None
    low, high = max(here.low, _round(low)), min(here.high, _round(high))
    return replace(here, last=node, low=low, high=high) if low <= high else None


def scalar_step(
    node: gs.Node | None,
) -> tuple[gs.Tensor, tuple[str, float, float]] | None:
    """The operand and ``("affine", a, b)`` or ``("clip", low, high)`` of a scalar operator."""
    if node is None or len(node.inputs) == 0:
        return None
    if is_op(node, "Relu"):
        return node.inputs[0], ("clip", 0.0, math.inf)
    if is_op(node, "Clip"):
        bounds = [-math.inf, math.inf]
        for index in (1, 2):
            if operand(node, index) is not None:
                value = scalar_value(node.inputs[index])
                if value is None:
                    return None
                bounds[index - 1] = value
        return node.inputs[0], ("clip", bounds[0], bounds[1])
    if is_op(node, "Mul", "Div", "Add", "Sub", "Max", "Min") and len(node.inputs) == 2:
        return _binary_step(node)
    return None


def _binary_step(node: gs.Node) -> tuple[gs.Tensor, tuple[str, float, float]] | None:
    for index in (0, 1) if node.op not in ("Div", "Sub") else (0,):
        value = scalar_value(node.inputs[1 - index])
        if value is None or not _keeps_rank(node, index) or not math.isfinite(value):
            continue
        x = node.inputs[index]
        if node.op in ("Mul", "Div"):
            if value <= 0:
                return None
            return x, ("affine", value if node.op == "Mul" else 1.0 / value, 0.0)
        if node.op in ("Add", "Sub"):
            return x, ("affine", 1.0, value if node.op == "Add" else -value)
        bounds = (value, math.inf) if node.op == "Max" else (-math.inf, value)
        return x, ("clip", *bounds)
    return None


def _keeps_rank(node: gs.Node, index: int) -> bool:
    x, other = node.inputs[index], node.inputs[1 - index]
    if isinstance(x, gs.Constant):
        return False
    if not other.shape:
        return True
    known = x.shape is not None and len(other.shape) <= len(x.shape)
    return bool(known and all(dim == 1 for dim in other.shape))


def _whole(value: float) -> bool:
    return not math.isfinite(value) or abs(value - round(value)) <= _NEAR * max(1.0, abs(value))


def _round(value: float) -> float:
    return float(round(value)) if math.isfinite(value) else value


def _floor(value: float) -> float:
    return float(math.floor(value + _NEAR)) if math.isfinite(value) else value

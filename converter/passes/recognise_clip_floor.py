"""ClipFloor (QCFS) and LeakyClipFloor, written with Floor, Round or Ceil and scalar arithmetic.

    lam * floor(clip(x / lam, 0, 1) * L + 1/2) / L        →  ClipFloor(x, lam), L levels
    lam * clip(floor(x * L / lam + 1/2) / L, 0, 1)        →  the same
    theta * clip(floor(x * L / lam) / L, 0, 1)
                                 →  ClipFloor(theta / lam x - theta / 2L, theta)
    clip(...) from -M to L, LeakyRelu(x, alpha) for x     →  LeakyClipFloor(x, lam)
    Where(x >= 0, stairs from 0 to L, stairs from -M to 0)  →  LeakyClipFloor, or their sum

in any order of Mul, Div, Add, Sub, Clip, Relu, Min and Max by one number each. The node keeps the
name of the one that computed the result.

Refuses: steps without bounds, bounds between steps, a value at zero other than zero, factors per
channel, a shift in front of a LeakyRelu.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.ann_functions import (
    ANN_DOMAIN,
    CLIP_FLOOR,
    LEAKY_CLIP_FLOOR,
    attach,
)
from onnx2snn.converter.graph.rewiring import (
    Names,
    drop_dead,
    insert_before,
    is_op,
    producer,
    scalar_value,
    sole_reader,
)
from onnx2snn.converter.recognition.step_chain import Staircase, staircases
from onnx2snn.ir.findings import Change

_SAME = 1e-5
_MOST_LEVELS = 2**20


def recognise_clip_floor(graph: gs.Graph) -> list[Change]:
    """Writes every bounded staircase through zero as one ClipFloor or LeakyClipFloor."""
    names = Names(graph)
    changes = _two_sided(graph, names)
    for node in [node for node in graph.nodes if is_op(node, "Floor", "Round", "Ceil")]:
        found = _best([stairs for stairs in staircases(graph, node) if _is_bounded(stairs)])
        if found is None or found.last.outputs[0].dtype != np.float32:
            continue
        x, alpha, stairs = found.x, 1.0, found
        leaky = producer(found.x)
        if found.low < 0 and is_op(leaky, "LeakyRelu") and leaky is not None:
            if _needs_shift(found):
                continue
            x, alpha = leaky.inputs[0], float(leaky.attrs.get("alpha", 0.01))
        changes.append(_write(graph, stairs, x, alpha, names))
    drop_dead(graph)
    return changes


def _is_bounded(stairs: Staircase) -> bool:
    bounded = -_MOST_LEVELS <= stairs.low <= 0 < stairs.high <= _MOST_LEVELS
    through_zero = abs(stairs.shift) <= _SAME * stairs.step
    return bounded and through_zero


def _best(found: list[Staircase]) -> Staircase | None:
    """The first that lies on the diagonal y = x; else the last."""
    diagonal = [stairs for stairs in found if _is_diagonal(stairs)]
    return diagonal[0] if diagonal else found[-1] if found else None


def _is_diagonal(stairs: Staircase) -> bool:
    return abs(stairs.step * stairs.gain - 1.0) <= _SAME


def _needs_shift(stairs: Staircase) -> bool:
    return abs(stairs.offset - 0.5) > _SAME


def _write(graph: gs.Graph, stairs: Staircase, x: gs.Tensor, alpha: float, names: Names) -> Change:
    node = stairs.last
    levels, negative = int(stairs.high), int(-stairs.low)
    body = LEAKY_CLIP_FLOOR if negative else CLIP_FLOOR
    change = Change(node=node.name, op=node.op, became=f"{body.name} with {levels} levels")
    factor = stairs.step * stairs.gain
    if abs(factor - 1.0) > _SAME:
        x = _scalar_node(graph, node, "Mul", x, factor, names)
    if _needs_shift(stairs):
        x = _scalar_node(graph, node, "Add", x, (stairs.offset - 0.5) * stairs.step, names)
    threshold = np.array(stairs.step * levels, np.float32)
    node.op, node.domain = body.name, ANN_DOMAIN
    node.attrs.clear()
    node.attrs["levels"] = levels
    if negative:
        node.attrs["negative_levels"], node.attrs["alpha"] = negative, alpha
    node.inputs = [x, gs.Constant(names.fresh(f"{node.name}.threshold"), threshold)]
    attach(graph, body)
    return change


def _scalar_node(
    graph: gs.Graph, anchor: gs.Node, op: str, x: gs.Tensor, value: float, names: Names
) -> gs.Tensor:
    """Put ``x op value`` in front of a node; batch normalisation and weights take it up later."""
    name = names.fresh(f"{anchor.name}.{op.lower()}")
    result = gs.Variable(names.fresh(f"{name}.out"), np.float32, x.shape)
    constant = gs.Constant(names.fresh(f"{name}.value"), np.array(value, np.float32))
    insert_before(graph, anchor, gs.Node(op, name, inputs=[x, constant], outputs=[result]))
    return result


def _two_sided(graph: gs.Graph, names: Names) -> list[Change]:
    """A staircase for each sign of x, joined by Where or Add."""
    tops = {}
    for node in [node for node in graph.nodes if is_op(node, "Floor", "Round", "Ceil")]:
        for stairs in staircases(graph, node):
            tops[id(stairs.last.outputs[0])] = stairs
    changes = []
    for node in [node for node in graph.nodes if is_op(node, "Where", "Add")]:
        pair = _sides(node)
        if pair is None or node.outputs[0].dtype != np.float32:
            continue
        up, down = (tops.get(id(tensor)) for tensor in pair)
        if up is not None and down is not None and node.op == "Add" and up.high == 0:
            up, down = down, up
        if up is None or down is None or not _mirror(graph, node, up, down):
            continue
        joined = Staircase(up.x, node, up.step, up.gain, 0.5, down.low, up.high)
        changes.append(_write(graph, joined, up.x, down.step * down.gain, names))
    return changes


def _sides(node: gs.Node) -> tuple[gs.Tensor, gs.Tensor] | None:
    """The tensors for x > 0 and for x < 0."""
    if node.op == "Add":
        return node.inputs[0], node.inputs[1]
    test = producer(node.inputs[0])
    if test is None or not is_op(test, "Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
        return None
    if scalar_value(test.inputs[1]) != 0.0:
        return None
    up, down = node.inputs[1], node.inputs[2]
    return (up, down) if test.op.startswith("Greater") else (down, up)


def _mirror(graph: gs.Graph, node: gs.Node, up: Staircase, down: Staircase) -> bool:
    """Whether both are bounded at zero, of one step height, functions of the tested x."""
    if up.x is not down.x or abs(up.step / down.step - 1) > _SAME or not _is_diagonal(up):
        return False
    test = producer(node.inputs[0]) if node.op == "Where" else None
    if test is not None and test.inputs[0] is not up.x:
        return False
    if any(sole_reader(graph, side.last.outputs[0]) is not node for side in (up, down)):
        return False
    shifted = any(_needs_shift(side) or abs(side.shift) > _SAME * side.step for side in (up, down))
    # Where cuts at zero what rounds to zero anyway; a sum needs the bounds.
    up_low, down_high = (
        (max(up.low, 0.0), min(down.high, 0.0))
        if node.op == "Where"
        else (
            up.low,
            down.high,
        )
    )
    finite = math.isfinite(up.high) and math.isfinite(down.low)
    return finite and not shifted and up_low == 0 and down_high == 0 and up.high > 0 > down.low

"""Nodes that return their input are taken out.

Identity; Dropout; Cast to the type it has; Transpose that moves nothing; Reshape, Expand,
Squeeze, Unsqueeze, Flatten and Slice to the shape it has; Pad by nothing; Concat or Sum of one;
Add or Sub of zeros, Mul or Div by ones; Where with one known answer; pairs of Reshape-like nodes
that undo each other.

Refuses: a node that computes a graph output from a graph input, a constant or another output,
since the output would lose its name; a Dropout whose mask is read or that is in training mode.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    bypass,
    constant_operand,
    drop_dead,
    is_op,
    is_output,
    operand,
    producer,
    redirect,
    scalar_value,
)
from onnx2snn.ir.findings import Change

_SHAPING = ("Reshape", "Squeeze", "Unsqueeze", "Flatten")


def remove_no_ops(graph: gs.Graph) -> list[Change]:
    """Removes nodes without effect, and nodes that nothing reads."""
    changes = []
    for node in list(graph.nodes):
        index = _passes_through(node)
        if index is not None and not _loses_output(graph, node) and bypass(graph, node, index):
            changes.append(Change(node=node.name, op=node.op, became="nothing: it has no effect"))
            continue
        if _reads_reshaped(node):
            source = node.inputs[0].inputs[0].inputs[0]
            if _same_shape(source, node.outputs[0]) and redirect(graph, node.outputs[0], source):
                changes.append(Change(node=node.name, op=node.op, became="nothing: it is undone"))
    changes += [
        Change(node=node.name, op=node.op, became="nothing: nobody reads it")
        for node in drop_dead(graph)
        if not any(change.node == node.name for change in changes)
    ]
    return changes


def _loses_output(graph: gs.Graph, node: gs.Node) -> bool:
    """Whether the node has a further output that is one of the graph: the mask of a Dropout."""
    return any(is_output(graph, tensor) for tensor in node.outputs[1:])


def _passes_through(node: gs.Node) -> int | None:
    """Index of the input that the node returns unchanged, if it does."""
    if is_op(node, "Add", "Mul"):
        neutral = 0.0 if node.op == "Add" else 1.0
        for index in (0, 1):
            if scalar_value(node.inputs[1 - index]) == neutral and _keeps_shape(node, index):
                return index
    if is_op(node, "Where"):
        condition = scalar_value(node.inputs[0])
        index = 1 if condition else 2
        return index if condition is not None and _keeps_shape(node, index) else None
    for ops, claim in _CLAIMS:
        if is_op(node, *ops) and claim(node):
            return 0
    return None


def _keeps_shape(node: gs.Node, index: int = 0) -> bool:
    return _same_shape(node.inputs[index], node.outputs[0])


def _same_shape(a: gs.Tensor, b: gs.Tensor) -> bool:
    """Equal in every entry; a symbol stands for the same number everywhere."""
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return False
    return all(x is not None and x != "" and x == y for x, y in zip(a.shape, b.shape, strict=True))


def _is_inference_dropout(node: gs.Node) -> bool:
    mask_read = len(node.outputs) > 1 and bool(node.outputs[1].outputs)
    training = operand(node, 2)
    return not mask_read and (training is None or scalar_value(training) == 0.0)


def _keeps_type(node: gs.Node) -> bool:
    before, after = node.inputs[0].dtype, node.outputs[0].dtype
    return before is not None and before == after


def _moves_nothing(node: gs.Node) -> bool:
    perm = node.attrs.get("perm")
    return perm is not None and list(perm) == sorted(perm)


def _pads_nothing(node: gs.Node) -> bool:
    pads = constant_operand(node, 1)
    return pads is not None and not np.any(pads)


def _slices_nothing(node: gs.Node) -> bool:
    """Either every axis is taken from 0 to beyond its end, or at step 1 none becomes shorter."""
    starts, ends = constant_operand(node, 1), constant_operand(node, 2)
    steps = constant_operand(node, 4)
    if operand(node, 4) is not None and (steps is None or np.any(steps != 1)):
        return False
    if starts is not None and ends is not None and not starts.any():
        endless = np.iinfo(np.int32).max  # exporters write the end of an axis as INT32/64_MAX
        if np.all(np.asarray(ends, np.int64) >= endless):
            return True
    return _keeps_shape(node)


def _reads_one(node: gs.Node) -> bool:
    return len(node.inputs) == 1


def _is_neutral(node: gs.Node) -> bool:
    neutral = 0.0 if node.op == "Sub" else 1.0
    return scalar_value(node.inputs[1]) == neutral and _keeps_shape(node)


def _reads_reshaped(node: gs.Node) -> bool:
    return is_op(node, *_SHAPING) and is_op(producer(node.inputs[0]), *_SHAPING)


_CLAIMS: tuple[tuple[tuple[str, ...], Callable[[gs.Node], bool]], ...] = (
    (("Identity",), lambda node: True),
    (("Dropout",), _is_inference_dropout),
    (("Cast", "CastLike"), _keeps_type),
    (("Transpose",), _moves_nothing),
    (("Reshape", "Expand", "Squeeze", "Unsqueeze", "Flatten"), _keeps_shape),
    (("Slice",), _slices_nothing),
    (("Pad",), _pads_nothing),
    (("Concat", "Sum", "Mean", "Max", "Min"), _reads_one),
    (("Sub", "Div"), _is_neutral),
)

"""The states of an unrolled layer, handed to their readers with the batch in front.

    Y [steps, directions, N, hidden] → Squeeze → Transpose → [N, steps, hidden]
        becomes Concat(Unsqueeze(h_1, 1), Unsqueeze(h_2, 1), ...) along axis 1
    Y → Squeeze → Gather(-1)   becomes h_last

What exporters do to take a layer's outputs apart (Transpose, Squeeze, Gather of one entry, Reshape
that joins the directions) is done on the list of states instead, so that no tensor of the result
has the steps in front of the batch unless a reader needs it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.graph.rewiring import constant_operand, is_op, is_output, static_dims

STEPS, DIRECTIONS, BATCH, HIDDEN = "steps", "directions", "batch", "hidden"
_BASE = (BATCH, HIDDEN)


@dataclass(frozen=True)
class Stack:
    """States [N, hidden] laid out along more axes.

    Attributes:
        parts: by step and direction.
        axes: what each axis of the tensor counts, of STEPS, DIRECTIONS, BATCH and HIDDEN.
        joined: the directions stand one after the other along HIDDEN.
    """

    parts: Mapping[tuple[int, int], gs.Tensor]
    axes: tuple[str, ...]
    joined: bool = False

    def length(self, axis: str) -> int:
        """How many entries a stacked axis has."""
        return len(self.keys(axis))

    def keys(self, axis: str) -> list[int]:
        """The steps or directions there are."""
        return sorted({key[0 if axis == STEPS else 1] for key in self.parts})

    def taken(self, axis: str, index: int) -> Stack:
        """One entry of a stacked axis."""
        place, wanted = (0 if axis == STEPS else 1), self.keys(axis)[index]
        parts = {key: part for key, part in self.parts.items() if key[place] == wanted}
        return Stack(parts, tuple(item for item in self.axes if item != axis), self.joined)


def deliver(
    graph: gs.Graph, builder: Builder, tensor: gs.Tensor, stack: Stack
) -> list[tuple[gs.Tensor, gs.Variable]]:
    """Tensors that stand below ``tensor``, and what is to be read in their place."""
    delivered: list[tuple[gs.Tensor, gs.Variable]] = []
    remaining = list(tensor.outputs)
    if not is_output(graph, tensor):
        for reader in list(remaining):
            below = _below(reader, stack) if reader.inputs[0] is tensor else None
            if below is not None:
                delivered += deliver(graph, builder, reader.outputs[0], below)
                remaining.remove(reader)
    if remaining or is_output(graph, tensor):
        delivered.append((tensor, materialise(builder, stack)))
    return delivered


def _below(node: gs.Node, stack: Stack) -> Stack | None:
    """The stack that a reader makes of it, if it only takes it apart."""
    if is_op(node, "Transpose"):
        axes = tuple(stack.axes[axis] for axis in node.attrs.get("perm", ()))
        ordered = [axis for axis in axes if axis in _BASE] == list(_BASE)
        return Stack(stack.parts, axes, stack.joined) if ordered else None
    if is_op(node, "Squeeze"):
        return _squeezed(node, stack)
    if is_op(node, "Gather"):
        index = constant_operand(node, 1)
        axis = stack.axes[node.attrs.get("axis", 0)]
        if index is None or index.ndim or axis in _BASE:
            return None
        return stack.taken(axis, int(index))
    if is_op(node, "Reshape") and stack.axes[-3:] == (BATCH, DIRECTIONS, HIDDEN):
        return _joined(node, stack)
    return None


def _squeezed(node: gs.Node, stack: Stack) -> Stack | None:
    places = constant_operand(node, 1)
    if places is None:
        return None
    for axis in [stack.axes[int(place)] for place in places.ravel()]:
        if axis in _BASE or stack.length(axis) != 1:
            return None
        stack = stack.taken(axis, 0)
    return stack


def _joined(node: gs.Node, stack: Stack) -> Stack | None:
    """A Reshape that writes the directions one after the other."""
    target = constant_operand(node, 1)
    dims = static_dims(node.inputs[0])
    if target is None or dims is None or target.size != len(dims) - 1:
        return None
    width = (dims[-1] or 0) * stack.length(DIRECTIONS)
    if int(target[-1]) not in (-1, width) or not width:
        return None
    for wanted, dim in zip(target[:-1].tolist(), dims[:-2], strict=True):
        if wanted not in (0, -1, dim):
            return None
    return Stack(stack.parts, (*stack.axes[:-2], HIDDEN), joined=True)


def materialise(builder: Builder, stack: Stack) -> gs.Variable:
    """The tensor that a stack stands for: stacked behind the batch, then put in its order."""
    loose = [axis for axis in stack.axes if axis not in _BASE]
    tensor = _raised(builder, stack, loose)
    order = [BATCH, *loose, HIDDEN]
    perm = [order.index(axis) for axis in stack.axes]
    if perm == sorted(perm):
        return tensor
    return builder.op("Transpose", tensor, perm=perm)


def _raised(builder: Builder, stack: Stack, loose: list[str]) -> gs.Variable:
    if not loose:
        parts = [stack.parts[key] for key in sorted(stack.parts)]
        if len(parts) == 1:
            return builder.op("Identity", parts[0])
        return builder.op("Concat", *parts, axis=1)
    axis, rest = loose[0], loose[1:]
    entries = [stack.taken(axis, index) for index in range(stack.length(axis))]
    raised = [builder.op("Unsqueeze", _raised(builder, part, rest), [1]) for part in entries]
    return raised[0] if len(raised) == 1 else builder.op("Concat", *raised, axis=1)

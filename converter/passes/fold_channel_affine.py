"""Scales and shifts per channel are folded into the weighted sum beside them.

    Mul(W x + b, a)   →  (a W) x + a b          Add(W x + b, c)  →  W x + (b + c)
    W (a x) + b       →  (W a) x + b            W (x + c) + b    →  W x + (b + W c)
    Add, Sub, Mul, Div with a constant per channel, as batch normalisation leaves them

Refuses: a shift in front of a padded Conv (the border would see it too, where the original sees
zeros) or of a ConvTranspose; a sum that something else reads as well; constants that vary along
space; MatMul as the place of a shift (it has none). A weight that other nodes share is copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    bypass,
    constant_values,
    is_op,
    is_output,
    producer,
    rank,
    sole_reader,
)
from onnx2snn.converter.graph.synapse import (
    Synapse,
    Vector,
    as_synapse,
    input_channel_axis,
    is_padded,
    output_channel_axis,
    per_channel,
)
from onnx2snn.ir.findings import Change


@dataclass(frozen=True)
class _Affine:
    """``y = factor x + shift`` per channel; ``index`` is the place of x among the inputs."""

    factor: Vector
    shift: Vector
    index: int


def fold_channel_affine(graph: gs.Graph) -> list[Change]:
    """Merges per-channel Mul, Div, Add and Sub into a weighted sum before or after them."""
    names = Names(graph)
    changes: list[Change] = []
    for node in list(graph.nodes):
        if is_op(node, "Mul", "Div", "Add", "Sub"):
            target = _fold_after(graph, node, names)
            if target:
                changes.append(_change(node, target))
    for node in reversed(list(graph.nodes)):
        if is_op(node, "Mul", "Div", "Add", "Sub"):
            target = _fold_before(graph, node, names)
            if target:
                changes.append(_change(node, target))
    return changes


def _change(node: gs.Node, target: gs.Node) -> Change:
    return Change(node=node.name, op=node.op, became=f"folded into {target.op} '{target.name}'")


def _fold_after(graph: gs.Graph, node: gs.Node, names: Names) -> gs.Node | None:
    """Fold into the sum that the node reads."""
    for index in (0, 1):
        previous = producer(node.inputs[index])
        synapse = as_synapse(previous)
        if previous is None or synapse is None:
            continue
        if sole_reader(graph, previous.outputs[0]) is not node:
            continue
        affine = _read(node, index, output_channel_axis(previous), synapse.out_channels)
        bias = synapse.bias()
        if affine is None or bias is None or (affine.shift.any() and not synapse.has_bias_slot):
            continue
        if not _fits(node, previous.outputs[0]) or not bypass(graph, node, index):
            continue
        weight = synapse.weight
        weight = weight * affine.factor.reshape(weight.shape[0], weight.shape[1], 1, 1)
        new_bias = affine.factor * bias + affine.shift
        keep = new_bias.any() or len(previous.inputs) > 2
        synapse.store(weight, new_bias if keep else None, names)
        return previous
    return None


def _fold_before(graph: gs.Graph, node: gs.Node, names: Names) -> gs.Node | None:
    """Fold into the sum that reads the node."""
    reader = sole_reader(graph, node.outputs[0])
    synapse = as_synapse(reader)
    if reader is None or synapse is None or reader.inputs[0] is not node.outputs[0]:
        return None
    for index in (0, 1):
        affine = _read(node, index, input_channel_axis(reader), synapse.in_channels)
        bias = synapse.bias()
        if affine is None or bias is None or not _fits(node, node.inputs[index]):
            continue
        if affine.shift.any() and not _shift_passes(reader, synapse):
            continue
        if is_output(graph, node.outputs[0]) or not bypass(graph, node, index):
            continue
        weight = synapse.weight
        group, _, fan_in, _ = weight.shape
        added = np.einsum("goit,gi->go", weight, affine.shift.reshape(group, fan_in)).reshape(-1)
        weight = weight * affine.factor.reshape(group, 1, fan_in, 1)
        changed = bool(affine.shift.any())
        keep = changed or len(reader.inputs) > 2
        synapse.store(weight, bias + added if keep else None, names)
        return reader
    return None


def _shift_passes(reader: gs.Node, synapse: Synapse) -> bool:
    return synapse.has_bias_slot and reader.op != "ConvTranspose" and not is_padded(reader)


def _fits(node: gs.Node, data: gs.Tensor) -> bool:
    """The constant must not add axes to the data."""
    return rank(data) is not None and all(
        len(tensor.shape) <= (rank(data) or 0)
        for tensor in node.inputs
        if isinstance(tensor, gs.Constant)
    )


def _read(node: gs.Node, index: int, axis: int | None, channels: int) -> _Affine | None:
    """The node as ``factor x + shift`` of its input at ``index``."""
    constant = per_channel(
        constant_values(node.inputs[1 - index]), rank(node.inputs[index]), axis, channels
    )
    if constant is None or not np.isfinite(constant).all():
        return None
    zero, one = np.zeros(channels), np.ones(channels)
    if node.op == "Mul":
        return _Affine(constant, zero, index)
    if node.op == "Add":
        return _Affine(one, constant, index)
    if node.op == "Sub":
        return _Affine(one, -constant, 0) if index == 0 else _Affine(-one, constant, 1)
    if index == 1 or not constant.all():
        return None
    return _Affine(1.0 / constant, zero, 0)

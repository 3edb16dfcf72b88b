"""Slices along different axes are one Slice.

    Slice(Slice(x, axis 2), axis 3)  →  Slice(x, axes [2, 3])

Refuses: computed bounds, an axis sliced twice, an inner Slice that something else reads.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    constant_operand,
    drop_dead,
    is_op,
    operand,
    producer,
    rank,
    set_constant,
    sole_reader,
)
from onnx2snn.ir.findings import Change

_LABELS = ("starts", "ends", "axes", "steps")


def merge_slices(graph: gs.Graph) -> list[Change]:
    """Merges each Slice into the one that reads it."""
    names = Names(graph)
    changes: list[Change] = []
    for node in [node for node in graph.nodes if is_op(node, "Slice")]:
        above = producer(node.inputs[0])
        if is_op(above, "Slice") and sole_reader(graph, node.inputs[0]) is node:
            changes += _merge(above, node, names)
    drop_dead(graph)
    return changes


def _merge(above: gs.Node, node: gs.Node, names: Names) -> list[Change]:
    inner, outer = _bounds(above), _bounds(node)
    if inner is None or outer is None or set(inner[2]) & set(outer[2]):
        return []
    for index, label in enumerate(_LABELS):
        values = np.concatenate([inner[index], outer[index]]).astype(np.int64)
        set_constant(node, index + 1, values, names, label)
    node.inputs[0] = above.inputs[0]
    return [Change(node=above.name, op="Slice", became=f"part of Slice '{node.name}'")]


def _bounds(node: gs.Node) -> list[np.ndarray] | None:
    """Starts, ends, axes and steps, all of one length."""
    axes = rank(node.inputs[0])
    found = [constant_operand(node, index) for index in range(1, 5)]
    if axes is None or any(
        value is None and operand(node, index + 1) is not None for index, value in enumerate(found)
    ):
        return None
    starts, ends, chosen, steps = found
    if starts is None or ends is None:
        return None
    chosen = np.arange(len(starts)) if chosen is None else chosen % axes
    return [starts, ends, chosen, np.ones(len(starts)) if steps is None else steps]

"""Quantisers sink below operators that only move or compare values.

    MaxPool(QuantizeLinear(x))  →  QuantizeLinear(MaxPool(x))

Rounding to a grid is elementwise and monotone, so it commutes with whatever picks entries:
MaxPool, Reshape, Transpose, Slice, Gather, Concat of one grid ... What is left is QuantizeLinear
in front of DequantizeLinear, which write_quantisers reads as one function.

Refuses: quantisers per channel or with computed scales; operators that read several grids.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.expand_qlinear import grid_of, is_quantiser
from onnx2snn.converter.graph.rewiring import (
    Names,
    drop_dead,
    insert_after,
    is_op,
    producer,
)
from onnx2snn.ir.findings import Change

MOVING = (
    "MaxPool Reshape Transpose Flatten Squeeze Unsqueeze Slice Gather Identity Expand Tile "
    "DepthToSpace SpaceToDepth Split GlobalMaxPool Concat Max Min GatherElements GatherND"
).split()
_ALL_DATA = ("Concat", "Max", "Min")


def sink_quantisers(graph: gs.Graph) -> list[Change]:
    """Moves quantisers below operators that pick entries."""
    names = Names(graph)
    changes = []
    for node in graph.nodes[:]:  # in topological order, so a quantiser sinks all the way
        if not is_op(node, *MOVING):
            continue
        data = node.inputs if node.op in _ALL_DATA else node.inputs[:1]
        quantisers = [producer(tensor) for tensor in data]
        if not all(is_quantiser(item) for item in quantisers):
            continue
        if len({grid_of(item) for item in quantisers if item is not None}) != 1:
            continue
        _swap(graph, node, [item for item in quantisers if item is not None], names)
        became = f"{node.op} in front of its quantiser"
        changes.append(Change(node=node.name, op=node.op, became=became))
    drop_dead(graph)
    return changes


def _swap(graph: gs.Graph, node: gs.Node, quantisers: list[gs.Node], names: Names) -> None:
    first = quantisers[0]
    for index, quantiser in enumerate(quantisers):
        node.inputs[index] = quantiser.inputs[0]
    below = []
    for index, quantised in enumerate(list(node.outputs)):
        if quantised.is_empty():
            continue
        value = gs.Variable(names.fresh(f"{quantised.name}.value"))
        node.outputs[index] = value
        below.append(
            gs.Node(
                "QuantizeLinear",
                names.fresh(f"{node.name}.quantise"),
                dict(first.attrs),
                [value, *first.inputs[1:]],
                [quantised],
            )
        )
    insert_after(graph, node, *below)

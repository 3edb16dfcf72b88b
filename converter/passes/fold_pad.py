"""Padding with zeros belongs to the operator behind it.

    Conv(Pad(x, p, 0), pads=q)                      →  Conv(x, pads=p+q)
    AveragePool(Pad(x, p, 0), pads=0, ceil_mode=0)  →  AveragePool(x, pads=p, count_include_pad=1)

Refuses: other values or modes, pads of batch or channels, negative pads, a Pad that something
else reads, a Conv with auto_pad, an AveragePool whose pads are as wide as its kernel.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    bypass,
    constant_operand,
    is_op,
    operand,
    rank,
    scalar_value,
    sole_reader,
)
from onnx2snn.ir.findings import Change


def fold_pad(graph: gs.Graph) -> list[Change]:
    """Moves spatial zero padding into the Conv or AveragePool that reads it."""
    changes = []
    for node in [node for node in graph.nodes if is_op(node, "Pad")]:
        reader = sole_reader(graph, node.outputs[0])
        pads = _spatial_zero_pads(node)
        if pads is None or reader is None or reader.inputs[0] is not node.outputs[0]:
            continue
        if not _takes_pads(reader, pads) or not bypass(graph, node):
            continue
        own = reader.attrs.get("pads", [0] * len(pads))
        reader.attrs["pads"] = [int(a + b) for a, b in zip(own, pads, strict=True)]
        reader.attrs.pop("auto_pad", None)
        if reader.op == "AveragePool":
            reader.attrs["count_include_pad"] = 1
        became = f"pads of {reader.op} '{reader.name}'"
        changes.append(Change(node=node.name, op="Pad", became=became))
    return changes


def _spatial_zero_pads(node: gs.Node) -> list[int] | None:
    """Begins and ends along the spatial axes, if the Pad adds zeros there and nowhere else."""
    axes, pads = rank(node.inputs[0]), constant_operand(node, 1)
    value = operand(node, 2)
    if node.attrs.get("mode", "constant") != "constant" or axes is None or pads is None:
        return None
    if value is not None and scalar_value(value) != 0.0:
        return None
    full = np.zeros((2, axes), np.int64)
    chosen = constant_operand(node, 3)
    if chosen is None and operand(node, 3) is not None:
        return None
    columns = range(axes) if chosen is None else [int(axis) % axes for axis in chosen]
    full[:, list(columns)] = pads.reshape(2, -1)
    if (full < 0).any() or full[:, :2].any():
        return None
    return [int(pad) for pad in full[:, 2:].reshape(-1)]


def _takes_pads(reader: gs.Node, pads: list[int]) -> bool:
    attrs = reader.attrs
    if attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return False
    if is_op(reader, "Conv"):
        return True
    if not is_op(reader, "AveragePool") or any(attrs.get("pads", ())) or attrs.get("ceil_mode", 0):
        return False
    # ONNX Runtime refuses pads that are as wide as the window.
    return all(pad < k for pad, k in zip(pads, attrs["kernel_shape"] * 2, strict=True))

"""How the emissions of fused layers are handed on, once it is known who reads them.

Emissions that only a sum over time reads are never written: the layer gives the sum itself, which
its neurons count anyway. Emissions of 0 or 1 that only fused layers read are handed on as bits,
an eighth of the memory of codes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import onnx

from onnx2snn.runtime.engine.attributes import attributes
from onnx2snn.runtime.engine.stream import ENGINE

LAYERS = {"Layer", "LayerValues", "LayerBits", "LayerTotal", "Currents"}
"""Operators that read emissions of any coding."""


def compacted(
    nodes: list[onnx.NodeProto], outputs: Iterable[str], units: Mapping[str, int]
) -> list[onnx.NodeProto]:
    """Return the nodes with sums over time taken where spikes are made, and bits where they do.

    Args:
        nodes: a lowered graph in order; its layers are changed in place.
        outputs: tensors that the caller reads.
        units: channels of the emissions that are all 0 or 1, by tensor.
    """
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in nodes:
        for name in Counter(node.input):
            readers[name].append(node)
    kept = set(outputs)
    dropped = set()
    for node in nodes:
        if node.domain != ENGINE or node.op_type not in ("Layer", "LayerValues"):
            continue
        tensor, read = node.output[0], readers[node.output[0]]
        if tensor in kept or not read:
            continue
        if [r.op_type for r in read] == ["Total"] and not attributes(node)["carried"]:
            node.op_type = "LayerTotal"
            del node.output[:]
            node.output.extend(read[0].output)
            _unmark(node)
            dropped.add(read[0].output[0])
        elif units.get(tensor, 1) % 8 == 0 and all(
            r.domain == ENGINE and r.op_type in LAYERS for r in read
        ):
            node.op_type = "LayerBits"
    return [n for n in nodes if not (n.op_type == "Total" and n.output[0] in dropped)]


def _unmark(node: onnx.NodeProto) -> None:
    """Let a layer that writes no emissions write no marks of them."""
    for attribute in node.attribute:
        if attribute.name == "marks":
            attribute.i = 0

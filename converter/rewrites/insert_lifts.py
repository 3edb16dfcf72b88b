"""Insert lifts: Identity nodes that later become Estimate, Increment or Hold.

    stream -> [Estimate] -> f -> [Increment] -> stream

An operator that works on estimates reads its streams through Estimate and its raw tensors through
Hold; whatever needs a stream reads estimates through Increment. One marker serves all readers.
"""

from __future__ import annotations

from dataclasses import replace

import onnx_graphsurgeon as gs

from onnx2snn.converter.plan import Marker, Plan
from onnx2snn.converter.rewiring import Names, insert_after, insert_before, producer
from onnx2snn.ir.grammar import Kind
from onnx2snn.ir.manifest import NodeFate

_KINDS: dict[Marker, Kind] = {"Estimate": "estimate", "Increment": "stream", "Hold": "estimate"}


class _Markers:
    """The markers made so far, one per tensor and kind."""

    def __init__(self, graph: gs.Graph) -> None:
        self._graph = graph
        self._names = Names(graph)
        self._made: dict[tuple[str, Marker], gs.Variable] = {}
        self.found: dict[str, tuple[Marker, str]] = {}

    def behind(self, tensor: gs.Tensor, marker: Marker) -> gs.Variable:
        """Return the output of the marker behind a tensor, made at the first call."""
        key = (tensor.name, marker)
        if key not in self._made:
            name = self._names.fresh(f"{tensor.name}/{marker.lower()}")
            output = gs.Variable(f"{name}/out", dtype=tensor.dtype, shape=tensor.shape)
            node = gs.Node("Identity", name, inputs=[tensor], outputs=[output])
            source = producer(tensor)
            if source is None:
                insert_before(self._graph, self._graph.nodes[0], node)
            else:
                insert_after(self._graph, source, node)
            self._made[key] = output
            self.found[name] = (marker, output.name)
        return self._made[key]


def insert_lifts(graph: gs.Graph, plan: Plan) -> Plan:
    """Put the markers in place and return the plan that knows them."""
    markers = _Markers(graph)
    for node in list(graph.nodes):
        role = plan.role(node)
        for index, tensor in enumerate(list(node.inputs)):
            marker = _needed(role, plan.kinds.get(tensor.name, "constant"))
            if marker is not None and node.op not in ("Shape", "Size"):
                node.inputs[index] = markers.behind(tensor, marker)
    graph.outputs = [
        markers.behind(tensor, "Increment") if plan.kinds.get(tensor.name) == "estimate" else tensor
        for tensor in graph.outputs
    ]
    fates, kinds = dict(plan.fates), dict(plan.kinds)
    for name, (marker, output) in markers.found.items():
        fates[name] = NodeFate(node=name, op=marker, fate="lift", detail="part of a lift")
        kinds[output] = _KINDS[marker]
    found = {name: marker for name, (marker, _) in markers.found.items()}
    return replace(plan, fates=fates, kinds=kinds, markers=found)


def _needed(role: str, kind: Kind) -> Marker | None:
    """Return the marker between a tensor of some kind and a node of some role."""
    if role in ("lift", "bilinear"):
        wanted: dict[Kind, Marker] = {"stream": "Estimate", "raw": "Hold"}
        return wanted.get(kind)
    if role in ("neuron", "linear", "spiking-pool", "read-out") and kind == "estimate":
        return "Increment"
    return None

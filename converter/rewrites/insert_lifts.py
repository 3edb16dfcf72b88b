"""Insert lifts: Identity nodes that later become Estimate, Increment or Hold.

    stream -> [Estimate] -> f -> [Increment] -> stream

An operator that works on estimates reads its streams through Estimate and its raw tensors through
Hold; whatever needs a stream reads estimates through Increment. One marker serves all readers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import DTypeLike
from onnx import helper

from onnx2snn.converter.graph.rewiring import Names, insert_after, insert_before, producer
from onnx2snn.converter.planning.plan import Marker, Plan
from onnx2snn.ir.grammar import SHAPE_OPS, Kind
from onnx2snn.ir.manifest import Fate, NodeFate

_KINDS: dict[Marker, Kind] = {"Estimate": "estimate", "Increment": "stream", "Hold": "estimate"}


class _Markers:
    """The markers made so far, one per tensor and kind."""

    def __init__(self, graph: gs.Graph) -> None:
        self._graph = graph
        self._names = Names(graph)
        self._made: dict[tuple[int, Marker], gs.Variable] = {}
        self._values: dict[int, gs.Variable] = {}
        self.fates: dict[str, NodeFate] = {}
        self.markers: dict[str, Marker] = {}
        self.kinds: list[tuple[gs.Variable, Kind]] = []

    def behind(self, tensor: gs.Tensor, marker: Marker) -> gs.Variable:
        """Return the output of the marker behind a tensor, made at the first call."""
        key = (id(tensor), marker)
        if key not in self._made:
            output = self._insert(tensor, marker, _KINDS[marker])
            self.markers[output.inputs[0].name] = marker
            self._made[key] = output
        return self._made[key]

    def decodable(self, estimate: gs.Tensor) -> gs.Variable:
        """Return the increments of an estimate, to be decoded.

        Integers and truth values pass as numbers, and are what they were once they are decoded.
        """
        if estimate.dtype is None or np.dtype(estimate.dtype).kind == "f":
            return self.behind(estimate, "Increment")
        if id(estimate) not in self._values:
            number = self._insert(estimate, "Cast", "estimate", np.float32)
            stream = self.behind(number, "Increment")
            rounded = self._insert(stream, "Round", "value")
            self._values[id(estimate)] = self._insert(rounded, "Cast", "value", estimate.dtype)
        return self._values[id(estimate)]

    def _insert(
        self, tensor: gs.Tensor, op: str, kind: Kind, dtype: DTypeLike | None = None
    ) -> gs.Variable:
        """Put a node behind a tensor: a marker (an Identity for now) or an operator."""
        name = self._names.fresh(f"{tensor.name}/{op.lower()}")
        to = tensor.dtype if dtype is None else np.dtype(dtype)
        output = gs.Variable(f"{name}/out", dtype=to, shape=tensor.shape)
        attrs = {"to": helper.np_dtype_to_tensor_dtype(to)} if op == "Cast" else {}
        standing = "Identity" if op in _KINDS else op
        node = gs.Node(standing, name, attrs=attrs, inputs=[tensor], outputs=[output])
        source = producer(tensor)
        if source is None:
            insert_before(self._graph, self._graph.nodes[0], node)
        else:
            insert_after(self._graph, source, node)
        fate: Fate = "read-out" if kind == "value" else "lift"
        self.fates[name] = NodeFate(node=name, op=op, fate=fate, detail="part of a lift")
        self.kinds.append((output, kind))
        return output


def insert_lifts(graph: gs.Graph, plan: Plan) -> Plan:
    """Put the markers in place and return the plan that knows them."""
    markers = _Markers(graph)
    for node in list(graph.nodes):
        role = plan.role(node)
        for index, tensor in enumerate(list(node.inputs)):
            marker = _needed(role, plan.kinds.get(tensor.name, "constant"))
            if marker is None or node.op in SHAPE_OPS:
                continue
            decoded = role == "read-out"
            replaced = markers.decodable(tensor) if decoded else markers.behind(tensor, marker)
            node.inputs[index] = replaced
    kinds = dict(plan.kinds)
    graph.outputs = [_exposed(tensor, kinds, markers) for tensor in graph.outputs]
    kinds.update((tensor.name, kind) for tensor, kind in markers.kinds)
    fates = {**plan.fates, **markers.fates}
    return replace(plan, fates=fates, kinds=kinds, markers=markers.markers)


def _exposed(tensor: gs.Tensor, kinds: dict[str, Kind], markers: _Markers) -> gs.Tensor:
    """Return the graph output that stands for an estimate, under the estimate's name."""
    if kinds.get(tensor.name) != "estimate":
        return tensor
    output = markers.decodable(tensor)
    tensor.name, output.name = output.name, tensor.name
    kinds[tensor.name] = "estimate"
    return output


def _needed(role: str, kind: Kind) -> Marker | None:
    """Return the marker between a tensor of some kind and a node of some role."""
    if role in ("lift", "bilinear"):
        wanted: dict[Kind, Marker] = {"stream": "Estimate", "raw": "Hold"}
        return wanted.get(kind)
    if role in ("neuron", "linear", "spiking-pool", "read-out") and kind == "estimate":
        return "Increment"
    return None

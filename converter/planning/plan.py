"""The plan: what becomes of every node of the canonical ANN.

Nodes are classified in topological order by the kinds of their inputs (the kinds of
:mod:`onnx2snn.ir.grammar`): an activation becomes a neuron, MaxPool a spiking pool, linear
operators act on the stream as they are. Whatever is not linear works on estimates, if trained
weights or neurons follow it (a *lift*, or *bilinear* for products of two activations), and else on
decoded values (*read-out*). What cannot be lifted is refused; all problems are collected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations import (
    ACTIVATIONS,
    Activation,
    ActivationRule,
    match_activation,
)
from onnx2snn.converter.graph.rewiring import captured, is_op, is_output
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.grammar import SHAPE_OPS, Kind
from onnx2snn.ir.linear import is_synapse, why_not_linear
from onnx2snn.ir.manifest import Fate, NodeFate
from onnx2snn.ir.ops import OPSET

Marker = Literal["Estimate", "Increment", "Hold"]

UNLIFTABLE: Mapping[str, str] = {
    "If": "its branches would change with the timestep",
    "Loop": "a loop carries state of its own",
    "Scan": "a scan carries state of its own",
    "NonZero": "its output shape depends on the data",
    "Unique": "its output shape depends on the data",
    "Compress": "its output shape depends on the data",
    "NonMaxSuppression": "its output shape depends on the data",
    "LSTM": "a recurrent operator needs its states to settle step by step",
    "GRU": "a recurrent operator needs its states to settle step by step",
    "RNN": "a recurrent operator needs its states to settle step by step",
}
"""Operators that cannot work on estimates, and why."""

MOVES = ("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that only rearrange values."""


@dataclass(frozen=True)
class Plan:
    """Roles of the nodes of one graph.

    Attributes:
        fates: role of every node, by node name.
        activations: the activation of every node that becomes a neuron, by node name.
        kinds: kind of every tensor that is not constant, by name.
        findings: problems (severity error) and remarks.
        markers: Identity nodes that stand for Estimate, Increment or Hold, by name.
    """

    fates: Mapping[str, NodeFate]
    activations: Mapping[str, Activation]
    kinds: Mapping[str, Kind]
    findings: tuple[Finding, ...]
    markers: Mapping[str, Marker] = field(default_factory=dict)

    @cached_property
    def streams(self) -> frozenset[str]:
        """Return the names of the tensors that become streams."""
        return frozenset(name for name, kind in self.kinds.items() if kind == "stream")

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Return the findings that forbid a conversion."""
        return tuple(f for f in self.findings if f.severity == "error")

    def role(self, node: gs.Node) -> Fate:
        """Return the role of a node."""
        return self.fates[node.name].fate


@dataclass
class _Builder:
    """Collects roles while walking the graph once."""

    rules: tuple[ActivationRule, ...]
    goes_on: set[str]
    kinds: dict[str, Kind]
    fates: dict[str, NodeFate] = field(default_factory=dict)
    activations: dict[str, Activation] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def found_any(self) -> bool:
        """Whether anything would spike or was refused."""
        fates = {fate.fate for fate in self.fates.values()}
        return bool(self.activations or fates & {"lift", "bilinear", "refused"})

    def visit(self, node: gs.Node) -> None:
        kinds = [self.kinds.get(tensor.name, "constant") for tensor in node.inputs]
        taken = {self.kinds.get(tensor.name, "constant") for tensor in captured(node)}
        if not taken <= {"constant", "raw"}:
            self._refuse(node, "its branches read tensors that change with the timestep")
        elif "raw" in taken and set(kinds) <= {"constant", "raw"}:
            self._visit_raw(node)
        elif "value" in kinds:
            self._set(node, "read-out", "works on decoded values", "value")
        elif node.op in SHAPE_OPS and not node.outputs[0].outputs and "stream" in kinds:
            self._set(node, "read-out", "tells the shape of decoded values", "value")
        elif node.op in SHAPE_OPS or set(kinds) <= {"constant"}:
            self._set(node, "prologue", "depends on shapes only", "constant")
        elif set(kinds) <= {"constant", "raw"}:
            self._visit_raw(node)
        else:
            self._visit_stream(node, kinds)

    def _visit_raw(self, node: gs.Node) -> None:
        """Raw tensors become streams where they become float32: at the encoder."""
        becomes: Kind = "stream" if _is_float(node.outputs[0]) else "raw"
        self._set(node, "prologue", "runs once, before the encoder", becomes)

    def _visit_stream(self, node: gs.Node, kinds: list[Kind]) -> None:
        activation = match_activation(node, self.rules)
        is_stream = [kind in ("stream", "estimate", "raw") for kind in kinds]
        estimated = "stream" not in kinds
        linear = is_op(node, node.op) and not why_not_linear(node.op, is_stream)
        if activation is not None and (node.name in self.goes_on or not activation.readout_ok):
            self.activations[node.name] = activation
            self._set(node, "neuron", f"{activation.describe()} neuron", "stream")
        elif is_op(node, "MaxPool") and len(node.outputs) == 1 and not estimated:
            self._set(node, "spiking-pool", "max-pool of spikes or membranes", "stream")
        elif linear and is_synapse(node.op):
            self._set(node, "linear", "synapses (bias-free)", "stream")
        elif linear and not estimated and "raw" not in kinds:
            self._set(node, "linear", _linear_detail(node, is_stream), "stream")
        elif node.name in self.goes_on:
            self._lift(node, is_stream, linear)
        else:
            self._set(node, "read-out", "works on decoded values", "value")

    def _lift(self, node: gs.Node, is_stream: list[bool], linear: bool) -> None:
        if node.op in UNLIFTABLE:
            self._refuse(node, UNLIFTABLE[node.op])
        elif is_synapse(node.op) and sum(is_stream) > 1:
            self._set(node, "bilinear", "product of two spike-coded activations", "estimate")
        elif linear:
            self._set(node, "lift", "linear, on estimates", "estimate")
        else:
            self._set(node, "lift", "analog: works on estimates", "estimate")

    def _refuse(self, node: gs.Node, reason: str) -> None:
        self._set(node, "refused", reason, "estimate")
        self.findings.append(_unsupported(node, reason))

    def _set(self, node: gs.Node, fate: Fate, detail: str, kind: Kind) -> None:
        self.fates[node.name] = NodeFate(node=node.name, op=node.op, fate=fate, detail=detail)
        if kind != "constant":
            self.kinds.update((tensor.name, kind) for tensor in node.outputs)


def plan_network(graph: gs.Graph, rules: tuple[ActivationRule, ...] = ACTIVATIONS) -> Plan:
    """Classify every node of a canonical graph (topologically sorted, names unique)."""
    kinds: dict[str, Kind] = {
        tensor.name: "stream" if _is_float(tensor) else "raw" for tensor in graph.inputs
    }
    goes_on = _leads_to_weights(graph, rules)
    builder = _walk(graph, _Builder(rules, goes_on, dict(kinds)))
    if not builder.found_any:  # a lone Sigmoid, last or not, is what there is to convert
        last = {node.name for node in graph.nodes if match_activation(node, rules) is not None}
        builder = _walk(graph, _Builder(rules, goes_on | last, kinds))
    _decode_before_moves(graph, builder)
    if not builder.found_any:
        builder.findings.append(
            Finding(
                code="no-activation",
                severity="error",
                message="the model has no activation that can become a neuron",
                remedy="a purely linear or activation-free model has nothing to convert; "
                "'onnx2snn ops' lists the activations that are known",
            )
        )
    return Plan(builder.fates, builder.activations, builder.kinds, tuple(builder.findings))


def _walk(graph: gs.Graph, builder: _Builder) -> _Builder:
    for node in graph.nodes:
        builder.visit(node)
    return builder


def _decode_before_moves(graph: gs.Graph, builder: _Builder) -> None:
    """Let reshapes in front of the read-out work on decoded values.

    They move T times less data there, and a reshape may hide the batch axis in another one.
    """
    for node in reversed(graph.nodes):
        readers = [reader for tensor in node.outputs for reader in tensor.outputs]
        inner = any(reader.name not in builder.fates for reader in readers)  # of a branch
        read_out = not inner and all(
            builder.fates[reader.name].fate == "read-out" for reader in readers
        )
        if node.op in MOVES and builder.fates[node.name].fate == "linear" and read_out:
            builder.fates[node.name] = NodeFate(
                node=node.name, op=node.op, fate="read-out", detail="moves decoded values"
            )
            builder.kinds.update((tensor.name, "value") for tensor in node.outputs)


def _leads_to_weights(graph: gs.Graph, rules: tuple[ActivationRule, ...]) -> set[str]:
    """Return the nodes behind which weights or neurons still come."""
    wanted: set[str] = set()
    names: set[str] = set()
    for node in reversed(graph.nodes):
        if any(tensor.name in wanted for tensor in node.outputs):
            names.add(node.name)
        activation = match_activation(node, rules)
        fires = activation is not None and not activation.readout_ok
        if node.name in names or is_synapse(node.op) or fires or node.op == "MaxPool":
            wanted.update(tensor.name for tensor in (*node.inputs, *captured(node)))
    return names


def _is_float(tensor: gs.Tensor) -> bool:
    return tensor.dtype is None or np.dtype(tensor.dtype) == np.float32


def _linear_detail(node: gs.Node, is_stream: list[bool]) -> str:
    if node.op in ("Add", "Sum") and sum(is_stream) > 1:
        return "currents add up in the membranes that follow"
    return "acts on the stream"


def _unsupported(node: gs.Node, reason: str) -> Finding:
    return Finding(
        code="unsupported-op",
        severity="error",
        message=f"cannot work on a stream: {reason}",
        node=node.name,
        op=f"{node.domain}::{node.op}" if node.domain else node.op,
        opset=OPSET,
        remedy="replace it by a supported operator ('onnx2snn ops') and fine-tune, "
        "or cut the model in front of it",
    )


def frontier(graph: gs.Graph, plan: Plan) -> tuple[gs.Tensor, ...]:
    """Return the tensors at which raw values become streams: float inputs, ends of prologues."""
    made = [
        tensor for node in graph.nodes if plan.role(node) == "prologue" for tensor in node.outputs
    ]
    return tuple(t for t in (*graph.inputs, *made) if plan.kinds.get(t.name) == "stream")


def read_out_tensors(graph: gs.Graph, plan: Plan) -> tuple[str, ...]:
    """Return the streams that must be decoded: graph outputs and what read-out nodes read."""
    names: dict[str, None] = {}
    tensors = [*graph.inputs, *(tensor for node in graph.nodes for tensor in node.outputs)]
    for tensor in tensors:
        roles = [plan.fates.get(reader.name) for reader in tensor.outputs]
        read = any(role is not None and role.fate == "read-out" for role in roles)
        if tensor.name in plan.streams and (read or is_output(graph, tensor)):
            names[tensor.name] = None
    return tuple(names)

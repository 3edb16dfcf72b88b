"""The plan: what becomes of every node of the canonical ANN.

Nodes are classified in topological order by the streams they touch: an activation becomes a
neuron, MaxPool a spiking pool, linear operators act on the stream as they are; whatever else is
left must be read-out, that is, no trained weights may follow it. Everything that cannot be
converted is collected as findings, so that a caller sees all problems at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_graphsurgeon as gs

from onnx2snn.converter.activations import (
    ACTIVATIONS,
    Activation,
    ActivationRule,
    match_activation,
)
from onnx2snn.converter.rewiring import is_op, is_output
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.grammar import SHAPE_OPS
from onnx2snn.ir.linear import LINEAR_OPS, is_synapse, why_not_linear
from onnx2snn.ir.manifest import Fate, NodeFate
from onnx2snn.ir.ops import OPSET


@dataclass(frozen=True)
class Plan:
    """Roles of the nodes of one graph.

    Attributes:
        fates: role of every node, by node name.
        activations: the activation of every node that becomes a neuron, by node name.
        streams: names of the tensors that become streams.
        findings: problems (severity error) and remarks.
    """

    fates: Mapping[str, NodeFate]
    activations: Mapping[str, Activation]
    streams: frozenset[str]
    findings: tuple[Finding, ...]

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
    streams: set[str]
    values: set[str] = field(default_factory=set)
    fates: dict[str, NodeFate] = field(default_factory=dict)
    activations: dict[str, Activation] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def visit(self, node: gs.Node) -> None:
        is_stream = [tensor.name in self.streams for tensor in node.inputs]
        is_value = [tensor.name in self.values for tensor in node.inputs]
        if any(is_value):
            self._read_out(node, "works on decoded values")
        elif node.op in SHAPE_OPS or not any(is_stream):
            self._set(node, "prologue", "depends on shapes only")
        else:
            self._visit_stream(node, is_stream)

    def _visit_stream(self, node: gs.Node, is_stream: list[bool]) -> None:
        activation = match_activation(node, self.rules)
        if activation is not None:
            self.activations[node.name] = activation
            self._set(node, "neuron", "", stream=True)
        elif is_op(node, "MaxPool") and len(node.outputs) == 1:
            self._set(node, "spiking-pool", "", stream=True)
        elif is_op(node, node.op) and not why_not_linear(node.op, is_stream):
            synapse = "synapses (bias-free)" if is_synapse(node.op) else "acts on the stream"
            self._set(node, "linear", synapse, stream=True)
        else:
            self._read_out(node, "works on decoded values")

    def _read_out(self, node: gs.Node, detail: str) -> None:
        self._set(node, "read-out", detail)
        self.values.update(tensor.name for tensor in node.outputs)

    def _set(self, node: gs.Node, fate: Fate, detail: str, *, stream: bool = False) -> None:
        self.fates[node.name] = NodeFate(node=node.name, op=node.op, fate=fate, detail=detail)
        if stream:
            self.streams.update(tensor.name for tensor in node.outputs)


def plan_network(graph: gs.Graph, rules: tuple[ActivationRule, ...] = ACTIVATIONS) -> Plan:
    """Classify every node of a canonical graph (topologically sorted, names unique)."""
    builder = _Builder(rules, streams={tensor.name for tensor in graph.inputs})
    for node in graph.nodes:
        builder.visit(node)
    builder.findings += _weights_behind_values(graph, builder)
    if not builder.activations:
        builder.findings.append(
            Finding(
                code="no-activation",
                severity="error",
                message="the model has no activation that can become a neuron",
                remedy="a purely linear or activation-free model has nothing to convert; "
                "'onnx2snn ops' lists the activations that are known",
            )
        )
    return Plan(
        builder.fates, builder.activations, frozenset(builder.streams), tuple(builder.findings)
    )


def _weights_behind_values(graph: gs.Graph, builder: _Builder) -> list[Finding]:
    """Find the operators that decode in the middle of the network: weights follow them."""
    behind: set[str] = set()
    problems = []
    for node in reversed(graph.nodes):
        feeds_weights = any(tensor.name in behind for tensor in node.outputs)
        decoded = builder.fates[node.name].fate == "read-out"
        if decoded and (feeds_weights or is_synapse(node.op)):
            behind.update(tensor.name for tensor in node.inputs)
            first = any(tensor.name in builder.streams for tensor in node.inputs)
            if first:
                problems.append(_unsupported(graph, node, builder))
    return problems[::-1]


def _unsupported(graph: gs.Graph, node: gs.Node, builder: _Builder) -> Finding:
    is_stream = [tensor.name in builder.streams for tensor in node.inputs]
    reason = (
        why_not_linear(node.op, is_stream)
        if node.op in LINEAR_OPS
        else ("not linear, no neuron stands for it, and trained weights follow it")
    )
    return Finding(
        code="unsupported-op",
        severity="error",
        message=reason,
        node=node.name,
        op=f"{node.domain}::{node.op}" if node.domain else node.op,
        opset=OPSET,
        remedy="replace it by a supported operator ('onnx2snn ops') and fine-tune, "
        "or cut the model in front of it",
    )


def read_out_tensors(graph: gs.Graph, plan: Plan) -> tuple[str, ...]:
    """Return the streams that must be decoded: graph outputs and what read-out nodes read."""
    names: dict[str, None] = {}
    for node in graph.nodes:
        for tensor in node.outputs:
            read = any(plan.role(reader) == "read-out" for reader in tensor.outputs)
            if tensor.name in plan.streams and (read or is_output(graph, tensor)):
                names[tensor.name] = None
    return tuple(names)

"""Move max-pooling to where spikes can do it exactly.

    MaxPool(f(z)) = f(MaxPool(z))                          f non-decreasing
    MaxPool(Concat(a, b)) = Concat(MaxPool(a), MaxPool(b)) along the channels

Graded spikes: an increment of the pooled count would be a sum of digits, so the pool moves in
front of the neuron and acts on membranes. Unit spikes: the pool stays behind the neuron and acts
on spike counts; only concatenations are passed. Refused: somas that are not monotone (the pool
then acts on the neuron's decoded output and an encoder follows).
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.activations import ACTIVATIONS, ActivationRule, match_activation
from onnx2snn.converter.graph.rewiring import (
    Names,
    insert_before,
    is_op,
    is_output,
    producer,
    redirect,
)
from onnx2snn.ir.findings import Change


def move_max_pools(
    graph: gs.Graph, *, before_neuron: bool, rules: tuple[ActivationRule, ...] = ACTIVATIONS
) -> list[Change]:
    """Move every MaxPool behind a concatenation or (graded) an activation to its front."""
    changes: list[Change] = []
    names = Names(graph)
    pending = [node for node in graph.nodes if is_op(node, "MaxPool") and len(node.outputs) == 1]
    while pending:
        pool = pending.pop()
        source = producer(pool.inputs[0])
        if source is None or is_output(graph, source.outputs[0]):
            continue
        if is_op(source, "Concat") and source.attrs.get("axis") == 1:
            pending += _past_concat(graph, pool, source, names)
            changes.append(_change(pool, f"moved in front of Concat '{source.name}'"))
        elif before_neuron and _commutes(source, rules):
            pending.append(_past_activation(graph, pool, source, names))
            changes.append(_change(pool, f"moved in front of {source.op} '{source.name}'"))
    graph.cleanup().toposort()
    return changes


def _commutes(node: gs.Node, rules: tuple[ActivationRule, ...]) -> bool:
    activation = match_activation(node, rules)
    return activation is not None and activation.monotone


def _copy(
    node: gs.Node, name: str, inputs: list[gs.Tensor], like: gs.Tensor, names: Names
) -> gs.Node:
    output = gs.Variable(names.fresh(f"{name}/out"), dtype=like.dtype)
    attrs, domain = dict(node.attrs), node.domain
    return gs.Node(node.op, name, attrs=attrs, inputs=inputs, outputs=[output], domain=domain)


def _past_activation(graph: gs.Graph, pool: gs.Node, activation: gs.Node, names: Names) -> gs.Node:
    """Pool the activation's input; the activation keeps its name unless others read it too."""
    shared = len(activation.outputs[0].outputs) > 1
    name = names.fresh(f"{activation.name}/pooled") if shared else activation.name
    moved = _copy(pool, pool.name, [activation.inputs[0]], activation.inputs[0], names)
    fired = _copy(
        activation, name, [moved.outputs[0], *activation.inputs[1:]], pool.outputs[0], names
    )
    insert_before(graph, pool, moved, fired)
    redirect(graph, pool.outputs[0], fired.outputs[0])
    return moved


def _past_concat(graph: gs.Graph, pool: gs.Node, concat: gs.Node, names: Names) -> list[gs.Node]:
    """Pool every branch of a channel concatenation."""
    branches = [
        _copy(pool, names.fresh(f"{pool.name}/branch_{i}"), [tensor], tensor, names)
        for i, tensor in enumerate(concat.inputs)
    ]
    name = names.fresh(f"{concat.name}/pooled")
    joined = _copy(concat, name, [b.outputs[0] for b in branches], pool.outputs[0], names)
    insert_before(graph, pool, *branches, joined)
    redirect(graph, pool.outputs[0], joined.outputs[0])
    return branches


def _change(pool: gs.Node, became: str) -> Change:
    return Change(node=pool.name, op=pool.op, became=became)

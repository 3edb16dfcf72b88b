"""RNN, GRU and LSTM over a fixed number of steps become feed-forward networks.

    LSTM(x)  →  one cell per step (see recurrent_cells), its outputs (see recurrent_outputs)

The input is multiplied by each gate's weights once for all steps. Each gate of each step is a
MatMul, an Add and an activation that is named after layer, direction, step and gate, so that later
stages see ordinary layers with the batch in front. Forward, reverse and bidirectional; initial
states that are left out, zero or computed; both layouts. Source: ONNX operator specification.

Refuses: open sequence lengths, sequence_lens, peepholes, clip, coupled forget gates, computed
weights, activations with parameters; more than MOST_NODES nodes in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.graph.rewiring import (
    Names,
    constant_operand,
    drop_dead,
    is_op,
    operand,
    producer,
    redirect,
    scalar_value,
    static_dims,
)
from onnx2snn.converter.recurrent.cells import CELLS, Gates, gates_of, initial_state
from onnx2snn.converter.recurrent.outputs import (
    BATCH,
    DIRECTIONS,
    HIDDEN,
    STEPS,
    Stack,
    deliver,
)
from onnx2snn.ir.errors import ModelTooLargeError, UnsupportedOpError
from onnx2snn.ir.findings import Change, Finding

MOST_NODES = 20_000
_NODES_A_STEP = {"RNN": 4, "GRU": 16, "LSTM": 20}
_ACTIVATIONS = ("Tanh", "Sigmoid", "Relu", "Softsign", "Softplus", "HardSigmoid", "Elu")
_TO_BATCH_SECOND = [1, 0, 2]


@dataclass(frozen=True)
class _Layer:
    """One recurrent node, with its layout resolved.

    Attributes:
        source: the sequence.
        axis: of the sequence that counts the steps.
        steps: how many.
        directions: per direction, whether it runs backwards.
        batch_first: layout of the outputs.
    """

    source: gs.Tensor
    axis: int
    steps: int
    directions: tuple[bool, ...]
    batch_first: bool


def unroll_recurrent(graph: gs.Graph) -> list[Change]:
    """Writes every recurrent layer step by step.

    Raises:
        UnsupportedOpError: a layer cannot be unrolled; all of them are named.
        ModelTooLargeError: unrolled, there would be too many nodes.
    """
    nodes = [node for node in graph.nodes if is_op(node, *CELLS)]
    findings = [_refusal(node, reason) for node in nodes if (reason := _why_not(node))]
    if findings:
        raise UnsupportedOpError("recurrent layers that cannot be unrolled", findings=findings)
    layers = [_layer(node) for node in nodes]
    _refuse_too_many(nodes, layers)
    names = Names(graph)
    for node in nodes:
        _unroll(graph, node, _layer(node), names)  # the layer below is unrolled by now
    drop_dead(graph)
    return [
        Change(node=node.name, op=node.op, became=f"its {layer.steps} steps, one by one")
        for node, layer in zip(nodes, layers, strict=True)
    ]


def _why_not(node: gs.Node) -> str:
    if _steps(node) is None:
        return "the number of its steps is open"
    if any(constant_operand(node, index) is None for index in (1, 2)):
        return "its weights are computed"
    if operand(node, 3) is not None and constant_operand(node, 3) is None:
        return "its bias is computed"
    if operand(node, 4) is not None and scalar_value(operand(node, 4)) != _steps(node):
        return "its sequences end at different steps (sequence_lens)"
    if operand(node, 7) is not None:
        return "it has peepholes"
    if node.attrs.get("clip"):
        return "it clips its gates"
    if node.attrs.get("input_forget"):
        return "it couples its input and forget gates (input_forget)"
    if node.attrs.get("activation_alpha") or node.attrs.get("activation_beta"):
        return "its activations have parameters of their own"
    for name in node.attrs.get("activations") or ():
        if name not in _ACTIVATIONS:
            return f"its activation '{name}' is no ONNX operator"
    return ""


def _refusal(node: gs.Node, reason: str) -> Finding:
    return Finding(
        code="unsupported-op",
        message=reason,
        severity="error",
        node=node.name,
        op=node.op,
        opset=21,
        remedy="export the model with a fixed sequence length and a plain recurrent layer",
    )


def _steps(node: gs.Node) -> int | None:
    dims = static_dims(node.inputs[0])
    return dims[1 if node.attrs.get("layout") else 0] if dims and len(dims) == 3 else None


def _layer(node: gs.Node) -> _Layer:
    batch_first = bool(node.attrs.get("layout", 0))
    source, axis = node.inputs[0], int(batch_first)
    above = producer(source)
    if not batch_first and is_op(above, "Transpose") and above is not None:
        if list(above.attrs.get("perm", ())) == _TO_BATCH_SECOND:
            source, axis = above.inputs[0], 1  # keeps the batch in front
    ways = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    return _Layer(
        source=source,
        axis=axis,
        steps=_steps(node) or 0,
        directions=ways[node.attrs.get("direction", "forward")],
        batch_first=batch_first,
    )


def _refuse_too_many(nodes: list[gs.Node], layers: list[_Layer]) -> None:
    count = sum(
        layer.steps * len(layer.directions) * _NODES_A_STEP[node.op]
        for node, layer in zip(nodes, layers, strict=True)
    )
    if count > MOST_NODES:
        raise ModelTooLargeError(
            f"unrolled, the recurrent layers have about {count} nodes; the limit is {MOST_NODES}",
            remedy="export the model with a shorter sequence",
        )


def _unroll(graph: gs.Graph, node: gs.Node, layer: _Layer, names: Names) -> None:
    builder = Builder(graph, node, names)
    hidden: dict[tuple[int, int], gs.Tensor] = {}
    finals: list[dict[tuple[int, int], gs.Tensor]] = [{}, {}]  # h and c
    for direction, backwards in enumerate(layer.directions):
        gates = gates_of(builder, node, direction, layer.source)
        states, last = _run(builder, node, layer, gates, backwards)
        hidden.update({(step, direction): state for step, state in enumerate(states)})
        for final, state in zip(finals, last, strict=False):
            final[0, direction] = state
    axes = (DIRECTIONS, BATCH, HIDDEN)
    if layer.batch_first:
        stacks = [Stack(hidden, (BATCH, STEPS, DIRECTIONS, HIDDEN))]
        axes = (BATCH, DIRECTIONS, HIDDEN)
    else:
        stacks = [Stack(hidden, (STEPS, *axes))]
    stacks += [Stack(final, axes) for final in finals if final]
    delivered = [
        pair
        for output, stack in zip(node.outputs, stacks, strict=False)
        if not output.is_empty()
        for pair in deliver(graph, builder, output, stack)
    ]
    builder.place()
    for old, new in delivered:
        new.dtype, new.shape = old.dtype, old.shape
        redirect(graph, old, new)
    builder.remove()


def _run(
    builder: Builder, node: gs.Node, layer: _Layer, gates: Gates, backwards: bool
) -> tuple[list[gs.Tensor], list[gs.Tensor]]:
    """All states h of one direction, and its last state."""
    order = range(layer.steps - 1, -1, -1) if backwards else range(layer.steps)
    state = initial_state(builder, node, gates.direction, layer.batch_first)
    hidden: dict[int, gs.Tensor] = {}
    for step in order:
        state = CELLS[node.op](builder, gates.at(step, layer.axis), state)
        hidden[step] = state[0]
    return [hidden[step] for step in range(layer.steps)], list(state)

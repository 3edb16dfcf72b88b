"""One step of RNN, GRU and LSTM, in standard operators on [N, hidden].

    RNN:   h = f(x Wᵀ + h' Rᵀ + b)
    GRU:   z, r = f(x Wᵀ + h' Rᵀ + b)          n = g(x Wᵀ + b_w + r (h' Rᵀ + b_r))
           h = (1 - z) n + z h'                (without linear_before_reset: (r h') Rᵀ + b_r)
    LSTM:  i, o, f = f(x Wᵀ + h' Rᵀ + b)       k = g(x Wᵀ + h' Rᵀ + b)
           c = f c' + i k                      h = o j(c)

with h', c' of the step before. A state that is zero is left out of the sums and products.
Source: ONNX operator specification (RNN, GRU, LSTM).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.graph.rewiring import constant_operand, is_op, operand, producer

State = tuple[gs.Tensor | None, ...]
"""h and, of an LSTM, c; None where it is zero."""

_ORDER = {"RNN": "h", "GRU": "zrh", "LSTM": "iofc"}
_DEFAULTS = {
    "RNN": ("Tanh",),
    "GRU": ("Sigmoid", "Tanh"),
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
}
_ZERO_PRESERVING = (
    "Expand Reshape Unsqueeze Squeeze Slice Gather Identity Transpose Concat Tile Cast"
).split()


@dataclass(frozen=True)
class Gates:
    """The gates of one direction, at one step.

    Attributes:
        builder: where nodes go.
        direction: 0 or 1.
        functions: the activations f, g, j.
        inputs: x Wᵀ + b for all steps, per gate.
        recurrent: Rᵀ per gate.
        shifts: the recurrent bias that is not in ``inputs``, per gate (GRU's b_r); else empty.
        step: which one.
        axis: of ``inputs`` that counts the steps.
        stem: what its nodes are named after.
    """

    builder: Builder
    direction: int
    functions: tuple[str, ...]
    inputs: dict[str, gs.Tensor]
    recurrent: dict[str, NDArray[np.float32]]
    shifts: dict[str, NDArray[np.float32]]
    reset_after: bool
    stem: str
    step: int = 0
    axis: int = 0

    def at(self, step: int, axis: int) -> Gates:
        """The same gates at another step."""
        return replace(self, step=step, axis=axis)

    def input(self, gate: str) -> gs.Variable:
        """X Wᵀ + b of this step, [N, hidden]."""
        index = np.asarray(self.step, np.int64)
        return self.builder.op("Gather", self.inputs[gate], index, axis=self.axis)

    def product(self, gate: str, state: gs.Tensor) -> gs.Variable:
        """H' Rᵀ."""
        return self.builder.op("MatMul", state, self.recurrent[gate])

    def sum(self, gate: str, state: gs.Tensor | None) -> gs.Variable:
        """X Wᵀ + b + h' Rᵀ."""
        if state is None:
            return self.input(gate)
        return self.builder.op("Add", self.input(gate), self.product(gate, state))

    def activate(self, which: int, gate: str, x: gs.Variable) -> gs.Variable:
        """Apply an activation, under a name of its own."""
        result = self.builder.op(self.functions[which], x)
        result.inputs[0].name = f"{self.stem}.step{self.step}.{gate}"
        return result


def gates_of(builder: Builder, node: gs.Node, direction: int, source: gs.Tensor) -> Gates:
    """Multiply the whole sequence by the input weights of one direction."""
    order = _ORDER[node.op]
    w, r = (np.asarray(constant_operand(node, i))[direction] for i in (1, 2))
    hidden = r.shape[1]
    stored = constant_operand(node, 3)
    bias = np.zeros(2 * len(order) * hidden) if stored is None else np.asarray(stored)[direction]
    parts = {gate: slice(i * hidden, (i + 1) * hidden) for i, gate in enumerate(order)}
    input_bias, state_bias = bias[: len(order) * hidden], bias[len(order) * hidden :]
    apart = {"h"} if node.op == "GRU" else set()
    inputs: dict[str, gs.Tensor] = {}
    for gate, rows in parts.items():
        shift = input_bias[rows] + (0 if gate in apart else state_bias[rows])
        product = builder.op("MatMul", source, np.ascontiguousarray(w[rows].T, np.float32))
        inputs[gate] = builder.op("Add", product, shift.astype(np.float32))
    names = list(node.attrs.get("activations") or [])
    count = len(_DEFAULTS[node.op])
    backwards = node.attrs.get("direction") == "reverse" or direction == 1
    return Gates(
        builder=builder,
        direction=direction,
        functions=tuple(names[direction * count : (direction + 1) * count]) or _DEFAULTS[node.op],
        inputs=inputs,
        recurrent={g: np.ascontiguousarray(r[s].T, np.float32) for g, s in parts.items()},
        shifts={gate: state_bias[parts[gate]].astype(np.float32) for gate in apart},
        reset_after=bool(node.attrs.get("linear_before_reset", 0)),
        stem=f"{node.name}.{'backward' if backwards else 'forward'}",
    )


def initial_state(builder: Builder, node: gs.Node, direction: int, batch_first: bool) -> State:
    """The state before the first step; zeros are None."""
    states: list[gs.Tensor | None] = []
    for index in (5, 6) if node.op == "LSTM" else (5,):
        tensor = operand(node, index)
        if tensor is None or is_zero(tensor):
            states.append(None)
            continue
        place = np.asarray(direction, np.int64)
        states.append(builder.op("Gather", tensor, place, axis=int(batch_first)))
    return tuple(states)


def is_zero(tensor: gs.Tensor) -> bool:
    """Whether the tensor is zero throughout, however its shape is computed."""
    if isinstance(tensor, gs.Constant):
        return not np.any(tensor.values)
    node = producer(tensor)
    if is_op(node, "ConstantOfShape") and node is not None:
        value = node.attrs.get("value")
        return value is None or not np.any(value.values)
    if not is_op(node, *_ZERO_PRESERVING) or node is None:
        return False
    data = node.inputs if node.op == "Concat" else node.inputs[:1]
    return all(is_zero(item) for item in data)


def _rnn(builder: Builder, gates: Gates, state: State) -> State:
    return (gates.activate(0, "h", gates.sum("h", state[0])),)


def _gru(builder: Builder, gates: Gates, state: State) -> State:
    (before,) = state
    update = gates.activate(0, "z", gates.sum("z", before))
    new = gates.activate(1, "h", _candidate(builder, gates, before))
    kept = builder.op("Mul", builder.op("Sub", 1.0, update), new)
    if before is None:
        return (kept,)
    return (builder.op("Add", kept, builder.op("Mul", update, before)),)


def _candidate(builder: Builder, gates: Gates, before: gs.Tensor | None) -> gs.Variable:
    shift = gates.shifts["h"]
    x = gates.input("h")
    if not gates.reset_after:
        x = builder.op("Add", x, shift) if shift.any() else x
        if before is None:
            return x
        reset = gates.activate(0, "r", gates.sum("r", before))
        return builder.op("Add", x, gates.product("h", builder.op("Mul", reset, before)))
    if before is None and not shift.any():
        return x
    reset = gates.activate(0, "r", gates.sum("r", before))
    if before is None:
        return builder.op("Add", x, builder.op("Mul", reset, shift))
    inner = gates.product("h", before)
    inner = builder.op("Add", inner, shift) if shift.any() else inner
    return builder.op("Add", x, builder.op("Mul", reset, inner))


def _lstm(builder: Builder, gates: Gates, state: State) -> State:
    hidden, cell = state
    enter = gates.activate(0, "i", gates.sum("i", hidden))
    leave = gates.activate(0, "o", gates.sum("o", hidden))
    new = builder.op("Mul", enter, gates.activate(1, "c", gates.sum("c", hidden)))
    if cell is not None:
        forget = gates.activate(0, "f", gates.sum("f", hidden))
        new = builder.op("Add", builder.op("Mul", forget, cell), new)
    return builder.op("Mul", leave, gates.activate(2, "cell", new)), new


CELLS: dict[str, Callable[[Builder, Gates, State], State]] = {
    "RNN": _rnn,
    "GRU": _gru,
    "LSTM": _lstm,
}

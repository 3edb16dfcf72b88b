"""The step model: one timestep, every state an explicit input and output (streaming).

Inputs: the ANN's inputs at this timestep, ``t`` (int64 scalar, counted from 1), the states.
Outputs: the ANN's outputs decoded after this timestep, the next states. All states start at zero.
Where S = T (rate coding), the stimulus lasts as long as the run: S gives way to ``t`` as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.ir.derive.parts import assemble, float_tensor
from onnx2snn.ir.derive.settle import shape_model, shape_name
from onnx2snn.ir.derive.stream_shapes import stream_shapes
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, spiking_op
from onnx2snn.ir.session import Session
from onnx2snn.ir.types import Array

CLOCK = "t"


@dataclass(frozen=True)
class StateTensor:
    """One state of one operator.

    Attributes:
        input: its name before the timestep.
        output: its name after the timestep.
        like: the stream whose one-timestep shape [N, *F] it has.
    """

    input: str
    output: str
    like: str


@dataclass(frozen=True)
class StepModel:
    """A spiking model for one timestep.

    Attributes:
        proto: the ONNX model.
        clock: name of the input that counts timesteps from 1.
        states: the states, in the order of the graph's inputs and outputs.
    """

    proto: onnx.ModelProto
    clock: str
    states: tuple[StateTensor, ...]


class Stateful(Protocol):
    """A derived model with explicit states."""

    @property
    def states(self) -> tuple[StateTensor, ...]:
        """Return its states."""
        ...


def to_step(model: SpikingModel) -> StepModel:
    """Return the model of one timestep."""
    plain = model.plain
    clock = clock_name(plain.graph)
    nodes = [step_node(node, model.timesteps_input, clock) for node in plain.graph.node]
    states = step_states(plain.graph.node)
    shapes = stream_shapes(model)
    proto = assemble(
        plain,
        nodes,
        [
            *plain.graph.input[:-1],
            helper.make_tensor_value_info(clock, onnx.TensorProto.INT64, []),
            *(float_tensor(state.input, shapes.get(state.like)) for state in states),
        ],
        [
            *plain.graph.output,
            *(float_tensor(state.output, shapes.get(state.like)) for state in states),
        ],
        step_bodies(plain.graph.node),
    )
    proto.doc_string = "One timestep of a spiking network; all states start at zero."
    return StepModel(proto, clock, states)


def initial_states(
    model: SpikingModel, step: Stateful, feeds: Mapping[str, NDArray[np.generic]]
) -> dict[str, Array]:
    """Return the states before the first timestep: zeros, shaped for the batch of ``feeds``."""
    if not step.states:
        return {}
    session = Session(shape_model(model, [state.like for state in step.states]))
    shapes = session.run(feeds)
    return {
        state.input: np.zeros(shapes[shape_name(state.like)].tolist(), dtype=np.float32)
        for state in step.states
    }


def step_node(node: onnx.NodeProto, timesteps: str, clock: str) -> onnx.NodeProto:
    """Return the node with X_Step and its states for X, and the clock for ``timesteps``."""
    step = onnx.NodeProto()
    step.CopyFrom(node)
    rest = [clock if name == timesteps else name for name in node.input]
    if node.domain == DOMAIN:
        op = spiking_op(node)
        step.op_type = op.step_name
        rest[1:1] = [state_name(node, state) for state in op.state]
        step.output.extend(next_name(node, state) for state in op.state)
    del step.input[:]
    step.input.extend(rest)
    return step


def step_states(nodes: Sequence[onnx.NodeProto]) -> tuple[StateTensor, ...]:
    """Return the states of all operators, in the order of the nodes."""
    return tuple(
        StateTensor(
            input=state_name(node, state),
            output=next_name(node, state),
            like=node.output[0] if state == "highest" else node.input[0],
        )
        for node in nodes
        if node.domain == DOMAIN
        for state in spiking_op(node).state
    )


def step_bodies(nodes: Sequence[onnx.NodeProto]) -> list[onnx.FunctionProto]:
    """Return the step bodies of the ``onnx2snn`` operators in use."""
    ops = {node.op_type: spiking_op(node) for node in nodes if node.domain == DOMAIN}
    return [ops[name].step_body() for name in sorted(ops)]


def clock_name(graph: onnx.GraphProto) -> str:
    """Return a name for the clock that no tensor of the graph has."""
    taken = {t.name for t in (*graph.input, *graph.initializer)}
    taken.update(name for node in graph.node for name in node.output)
    name = CLOCK
    while name in taken:
        name = f"onnx2snn/{name}"
    return name


def state_name(node: onnx.NodeProto, state: str) -> str:
    """Return the name of a state before the timestep."""
    return f"{node.output[0]}/{state}"


def next_name(node: onnx.NodeProto, state: str) -> str:
    """Return the name of a state after the timestep."""
    return f"{node.output[0]}/{state}/next"

"""The chunk model: some timesteps at once, from any one on, every state an input and output.

Inputs: the ANN's inputs, the clock (int64 [K]: the timesteps of the chunk, counted from 1), the
states. Outputs: the decoded values after every timestep of the chunk, each [K*N, *F], and the next
states. A run cut into chunks gives the spikes of the run in one piece. K = 1 is streaming.

Where S = T (rate coding), the stimulus lasts as long as the run: S gives way to the last timestep
of the clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import helper

from onnx2snn.ir.derive.parts import assemble, float_tensor, split_parts, upstream
from onnx2snn.ir.derive.running import RunningModel, to_running
from onnx2snn.ir.derive.step import (
    StateTensor,
    clock_name,
    next_name,
    state_name,
    step_bodies,
    step_states,
)
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, spiking_op

STEPS = "onnx2snn/chunk/steps"
"""The tensor of the chunk model that holds K, an int64 scalar."""

_END = "onnx2snn/chunk/end"


@dataclass(frozen=True)
class ChunkModel:
    """A spiking model for a chunk of timesteps.

    Attributes:
        body: from the ANN's inputs, the clock and the states to ``values`` and the next states.
        head: from ``values`` of one timestep to the ANN's outputs; see :class:`RunningModel`.
        clock: name of the input that holds the timesteps of the chunk.
        states: the states, in the order of the body's inputs and outputs.
        values: names of the decoded tensors.
    """

    body: onnx.ModelProto
    head: onnx.ModelProto | None
    clock: str
    states: tuple[StateTensor, ...]
    values: tuple[str, ...]


def to_chunk(model: SpikingModel) -> ChunkModel:
    """Return the model of a chunk of timesteps; the batch axis must be free (folded layout)."""
    running: RunningModel = to_running(model)
    graph = running.body.graph
    clock = clock_name(model.plain.graph)
    body = split_parts(graph).body
    states = step_states(body)
    nodes = [_chunk_node(node, model.timesteps_input, clock) for node in graph.node]
    glue = [
        helper.make_node("Size", [clock], [STEPS]),
        helper.make_node("ReduceMax", [clock], [_END], keepdims=0),
    ]
    inputs = [value for value in graph.input if value.name != model.timesteps_input]
    inputs.append(helper.make_tensor_value_info(clock, onnx.TensorProto.INT64, ["K"]))
    inputs += [float_tensor(state.input) for state in states]
    outputs = [*graph.output, *(float_tensor(state.output) for state in states)]
    wanted = [*running.values, *(state.output for state in states)]
    used = {node.op_type: spiking_op(node) for node in body if node.domain == DOMAIN}
    functions = [*step_bodies(body), *(used[name].chunk_body() for name in sorted(used))]
    proto = assemble(running.body, [*glue, *upstream(nodes, wanted)], inputs, outputs, functions)
    return ChunkModel(proto, running.head, clock, states, running.values)


def _chunk_node(node: onnx.NodeProto, timesteps: str, clock: str) -> onnx.NodeProto:
    """Return the node with X_Chunk and its states for X."""
    if node.domain != DOMAIN:
        return node
    op = spiking_op(node)
    named = dict(zip(op.inputs, node.input, strict=True))
    if named.get("stimulus") == timesteps:
        named["stimulus"] = _END
    named |= {state: state_name(node, state) for state in op.state} | {"clock": clock}
    chunk = helper.make_node(
        op.chunk_name,
        [named[name] for name in op.chunk_inputs],
        [node.output[0], *(next_name(node, state) for state in op.state)],
        name=node.name,
        domain=DOMAIN,
    )
    chunk.attribute.extend(node.attribute)
    return chunk

"""The running model: decoded values after *every* timestep, from one run.

A spiking graph is split in two: the body, whose read-outs give all T values instead of the last,
and the head, which turns the decoded values of one timestep into the ANN's outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from onnx2snn.ir.derive.parts import assemble, float_tensor, names_read, split_parts, upstream
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, ReadOut, RunningReadOut, spiking_op


@dataclass(frozen=True)
class RunningModel:
    """A spiking model split at its read-outs.

    Attributes:
        body: from the ANN's inputs and ``timesteps`` to ``values``, each [T*N, *F].
        head: from ``values`` [N, *F] (and raw inputs it needs) to those of the ANN's outputs that
            are not among ``values``; None if all are.
        values: names of the decoded tensors.
    """

    body: onnx.ModelProto
    head: onnx.ModelProto | None
    values: tuple[str, ...]


def to_running(model: SpikingModel) -> RunningModel:
    """Split a spiking model at its read-outs."""
    plain = model.plain
    parts = split_parts(plain.graph)
    values = tuple(
        node.output[0]
        for node in parts.body
        if node.domain == DOMAIN and isinstance(spiking_op(node), RunningReadOut)
    )
    nodes = [_running(node) for node in parts.body]
    nodes = upstream([*parts.prologue, *nodes], values)
    ops = {node.op_type: spiking_op(node) for node in nodes if node.domain == DOMAIN}
    body = assemble(
        plain,
        nodes,
        plain.graph.input,
        [float_tensor(name) for name in values],
        [ops[name].sequence_body() for name in sorted(ops)],
    )
    return RunningModel(body, _head(model, values), values)


def _running(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return the node, a ReadOut as RunningReadOut."""
    running = onnx.NodeProto()
    running.CopyFrom(node)
    if node.domain == DOMAIN and node.op_type == ReadOut.name:
        running.op_type = RunningReadOut.name
    return running


def _head(model: SpikingModel, values: tuple[str, ...]) -> onnx.ModelProto | None:
    if set(model.outputs) <= set(values):
        return None
    graph = model.plain.graph
    outputs = [output for output in graph.output if output.name not in values]
    nodes = upstream(list(graph.node), [output.name for output in outputs], stop=values)
    read = {name for node in nodes for name in names_read(node)} | {o.name for o in outputs}
    inputs = [float_tensor(name) for name in values if name in read]
    inputs += [value for value in graph.input[:-1] if value.name in read]
    return assemble(model.plain, nodes, inputs, outputs, [])

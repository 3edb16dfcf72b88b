"""The settled model: the quantised ANN on the grid of the neurons (the PTQ row).

Every ``onnx2snn`` operator X gives way to X_Settled, the value it converges to. The names differ
so that a native X, where one is registered, cannot take the place of the settled body.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import helper

from onnx2snn.ir.derive.parts import assemble, float_tensor, upstream
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, SpikingOp, spiking_op

SUFFIX = "_Settled"


def settle(model: SpikingModel, extra_outputs: Sequence[str] = ()) -> onnx.ModelProto:
    """Return the quantised ANN: inputs and outputs as the spiking model's, batch [N, ...].

    Args:
        model: the spiking model.
        extra_outputs: streams of the spiking graph whose settled values become outputs too.
    """
    plain = model.plain
    outputs = list(plain.graph.output) + [
        float_tensor(name) for name in extra_outputs if name not in model.outputs
    ]
    nodes = [settled_node(node) for node in plain.graph.node]
    return assemble(plain, nodes, plain.graph.input, outputs, settled_bodies(plain.graph.node))


def shape_model(model: SpikingModel, tensors: Sequence[str]) -> onnx.ModelProto:
    """Return a model of the shapes [N, *F] of some streams: one int64 output per stream.

    The outputs are named as the streams; the inputs are those of the spiking model.
    """
    plain = model.plain
    unique = list(dict.fromkeys(tensors))
    nodes = [settled_node(node) for node in upstream(list(plain.graph.node), unique)]
    shapes = [helper.make_node("Shape", [name], [shape_name(name)]) for name in unique]
    outputs = [
        helper.make_tensor_value_info(shape_name(name), onnx.TensorProto.INT64, [None])
        for name in unique
    ]
    bodies = settled_bodies(plain.graph.node)
    return assemble(plain, [*nodes, *shapes], plain.graph.input, outputs, bodies)


def shape_name(tensor: str) -> str:
    """Return the name of the output of :func:`shape_model` that holds a tensor's shape."""
    return f"onnx2snn/shape/{tensor}"


def settled_node(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return the node with X_Settled for X; standard nodes as they are."""
    settled = onnx.NodeProto()
    settled.CopyFrom(node)
    if node.domain == DOMAIN:
        settled.op_type = node.op_type + SUFFIX
    return settled


def settled_bodies(nodes: Sequence[onnx.NodeProto]) -> list[onnx.FunctionProto]:
    """Return the bodies of the X_Settled that stand for the ``onnx2snn`` operators in use."""
    ops = {node.op_type: spiking_op(node) for node in nodes if node.domain == DOMAIN}
    return [_renamed(ops[name]) for name in sorted(ops)]


def _renamed(op: SpikingOp) -> onnx.FunctionProto:
    body = op.settled_body()
    body.name = op.name + SUFFIX
    return body

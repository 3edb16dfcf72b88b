"""Shapes of streams, by onnx's own inference on a copy without time."""

from __future__ import annotations

import onnx
from onnx import helper, shape_inference

from onnx2snn.ir.derive.record import counter_of
from onnx2snn.ir.ops import DOMAIN
from onnx2snn.ir.ops.max_pool import POOL_ATTRIBUTES

Shape = tuple[int | None, ...]


def infer_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Return the shape of every tensor whose rank is known; None for an open size.

    Every operator of ours keeps the shape of its stream but for its first axis, save the pools,
    which change it as MaxPool does.
    """
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    del plain.functions[:]
    nodes = [_plain(node) for node in plain.graph.node]
    del plain.graph.node[:]
    plain.graph.node.extend(node for node in nodes if node is not None)
    made = {name for node in plain.graph.node for name in node.output}
    kept = [o for o in plain.graph.output if o.name in made]
    del plain.graph.output[:]
    plain.graph.output.extend(kept)
    del plain.graph.value_info[:]
    shapes: dict[str, Shape] = {}
    graph = shape_inference.infer_shapes(plain).graph
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape"):
            shapes[value.name] = tuple(
                dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim
            )
    return shapes


def _plain(node: onnx.NodeProto) -> onnx.NodeProto | None:
    if node.domain != DOMAIN:
        return node
    if "MaxPool" in node.op_type:
        pool = helper.make_node("MaxPool", [node.input[0]], [node.output[0]])
        pool.attribute.extend(a for a in node.attribute if a.name in POOL_ATTRIBUTES)
        return pool
    if counter_of(node) is not None:
        return None
    return helper.make_node("Identity", [node.input[0]], [node.output[0]])

"""Constant nodes, and nodes that read only constants, become constants.

    f(c1, c2, ...)  →  c        evaluated once, by ONNX Runtime

Not folded: nodes with graphs inside, and results whose size shape inference
cannot bound beforehand or that grow far beyond their inputs (a 100-byte Expand can ask for
terabytes). Shape of a computed tensor is no constant here: see fold_shapes.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    STANDARD_DOMAINS,
    drop_dead,
    has_subgraph,
    is_output,
    redirect,
)
from onnx2snn.converter.judging.execution import Execution, ExecutionError
from onnx2snn.ir.findings import Change

_FREE_ELEMENTS = 1 << 20  # a result this small is folded whatever it is made from
_MOST_GROWTH = 4  # above that it may be this many times larger than its inputs together
_MOST_ELEMENTS = 1 << 28


def fold_constants(graph: gs.Graph) -> list[Change]:
    """Replaces every node that does not depend on the inputs by its result."""
    changes = []
    for node in list(graph.nodes):
        values = _evaluate(graph, node) if _is_foldable(graph, node) else None
        if values is None:
            continue
        for output, value in zip(node.outputs, values, strict=True):
            redirect(graph, output, gs.Constant(output.name, value))
        changes.append(Change(node=node.name, op=node.op, became="a constant"))
    drop_dead(graph)
    return changes


def _is_foldable(graph: gs.Graph, node: gs.Node) -> bool:
    return (
        node.domain in STANDARD_DOMAINS
        and not has_subgraph(node)
        and all(tensor.is_empty() or isinstance(tensor, gs.Constant) for tensor in node.inputs)
        and not any(output.is_empty() or is_output(graph, output) for output in node.outputs)
        and any(output.outputs for output in node.outputs)
    )


def _evaluate(graph: gs.Graph, node: gs.Node) -> list[np.ndarray] | None:
    if node.op == "Constant" and isinstance(node.attrs.get("value"), gs.Constant):
        return [np.asarray(node.attrs["value"].values)]
    model = _single_node_model(graph, node)
    if model is None:
        return None
    try:
        results = Execution(model).run({}).values()
    except ExecutionError:
        return None  # left for the whole model to fail on, with its own message
    return [value for value in results if isinstance(value, np.ndarray)]


def _single_node_model(graph: gs.Graph, node: gs.Node) -> onnx.ModelProto | None:
    """The node and its constants as a model of known output types; None if it must not run."""
    constants = [tensor for tensor in node.inputs if not tensor.is_empty()]
    alone = onnx.helper.make_graph(
        [gs.exporters.onnx_exporter.OnnxExporter.export_node(node)],
        "constant",
        [],
        [onnx.helper.make_empty_tensor_value_info(output.name) for output in node.outputs],
        [gs.exporters.onnx_exporter.OnnxExporter.export_tensor_proto(item) for item in constants],
    )
    model = onnx.helper.make_model(
        alone, opset_imports=[onnx.helper.make_opsetid("", graph.opset)], ir_version=10
    )
    model = onnx.shape_inference.infer_shapes(model)
    read = sum(math.prod(tensor.shape) for tensor in constants)
    made = [_element_count(output) for output in model.graph.output]
    allowed = min(max(_FREE_ELEMENTS, _MOST_GROWTH * read), _MOST_ELEMENTS)
    if any(count is None for count in made) or sum(count or 0 for count in made) > allowed:
        return None
    return model


def _element_count(output: onnx.ValueInfoProto) -> int | None:
    kind = output.type.tensor_type
    if not kind.elem_type or not kind.HasField("shape"):
        return None
    if not all(dim.HasField("dim_value") for dim in kind.shape.dim):
        return None
    return math.prod(int(dim.dim_value) for dim in kind.shape.dim)

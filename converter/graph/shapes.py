"""Types and shapes of all tensors of a graph, as far as they follow from its inputs."""

from __future__ import annotations

from typing import Any

import onnx
import onnx_graphsurgeon as gs

# Constants above this size cannot be shape operands; inference needs their type and shape only.
_MOST_ELEMENTS_SHOWN = 1024

BATCH = "N"


def to_model(graph: gs.Graph) -> onnx.ModelProto:
    """The graph as an ONNX model in opset 21, IR version 10."""
    model: onnx.ModelProto = gs.export_onnx(graph, do_type_check=False)
    model.ir_version = 10
    return model


def annotate_shapes(graph: gs.Graph) -> None:
    """Write what shape inference finds to every tensor, and forget what was there before.

    An entry of a shape is a number, a symbol or None. The graph's inputs are taken as they are.
    Values are never propagated: a file of 2 kB can make that take gigabytes.
    """
    outputs = {id(output) for output in graph.outputs}
    for node in graph.nodes:
        for tensor in node.outputs:
            if id(tensor) not in outputs:
                tensor.dtype = tensor.shape = None
            elif tensor.shape is not None:  # its lengths may be those of another batch size
                tensor.shape = [None] * len(tensor.shape)
    inferred = onnx.shape_inference.infer_shapes(_without_weights(to_model(graph)))
    found = {
        item.name: item.type.tensor_type
        for item in (*inferred.graph.value_info, *inferred.graph.output)
        if item.type.HasField("tensor_type")
    }
    for node in graph.nodes:
        for tensor in node.outputs:
            if tensor.name in found:
                _annotate(tensor, found[tensor.name])


def _annotate(tensor: gs.Variable, inferred: Any) -> None:
    if inferred.elem_type:
        dtype = inferred.elem_type
        try:
            tensor.dtype = onnx.helper.tensor_dtype_to_np_dtype(dtype)
        except (KeyError, TypeError):
            tensor.dtype = dtype
    if inferred.HasField("shape"):
        tensor.shape = [
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
            for dim in inferred.shape.dim
        ]


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its large constants as typed inputs: inference then moves no weights."""
    kept = []
    for tensor in model.graph.initializer:
        size = 1
        for dim in tensor.dims:
            size *= dim
        if size > _MOST_ELEMENTS_SHOWN:
            model.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
        else:
            kept.append(tensor)
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model

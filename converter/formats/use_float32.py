"""float16, bfloat16 and float64 inside a model become float32; its interface keeps its types.

    x: float16 → net in float16 → y: float16
        becomes   x: float16 → Cast → net in float32 → Cast → y: float16

Every stored tensor, Cast target and graph of a node is retargeted; Casts from float32 to float32
are left for remove_no_ops. Rounding to 11 bits at every operator (IEEE 754 binary16) is not
reproduced: the result is the function that half precision approximates.

Refuses: bfloat16 inputs and outputs, which numpy and ONNX Runtime cannot exchange.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from onnx2snn.converter.source.limits import all_graphs, constant_tensors
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.findings import Change, Finding
from onnx2snn.ir.stored_weights import tensor_values

OTHER_FLOATS: dict[int, str] = {
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.DOUBLE: "float64",
}
_TYPE_ATTRIBUTES = ("to", "dtype", "output_datatype", "stash_type", "output_dtype")


def use_float32(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[Change]]:
    """A copy of the model that computes in float32, with Casts at its inputs and outputs.

    Raises:
        UnsupportedOpError: an input or output is bfloat16.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    changed = _convert_constants(result)
    changed += _convert_attributes(result)
    _refuse_bfloat16_interface(result.graph)
    for inner in list(all_graphs(result.graph))[1:]:
        for item in (*inner.input, *inner.output):
            kind = item.type.tensor_type
            if kind.elem_type in OTHER_FLOATS:
                kind.elem_type = TensorProto.FLOAT
    changed += _cast_inputs(result.graph)
    changed += _cast_outputs(result.graph)
    return (result, changed) if changed else (model, [])


def _convert_constants(model: onnx.ModelProto) -> list[Change]:
    changes = []
    limit = float(np.finfo(np.float32).max)
    for tensor in constant_tensors(model):
        if tensor.data_type not in OTHER_FLOATS:
            continue
        became = f"float32, was {OTHER_FLOATS[tensor.data_type]}"
        values = np.asarray(tensor_values(tensor), np.float64)
        finite = np.isfinite(values)
        values = np.where(finite, np.clip(values, -limit, limit), values)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))
        changes.append(Change(node=tensor.name, op="constant", became=became))
    return changes


def _convert_attributes(model: onnx.ModelProto) -> list[Change]:
    changes = []
    for graph in all_graphs(model.graph):
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.name in _TYPE_ATTRIBUTES and attribute.i in OTHER_FLOATS:
                    attribute.i = TensorProto.FLOAT
                    became = f"{node.op_type} in float32"
                    changes.append(Change(node=node.name, op=node.op_type, became=became))
    return changes


def _refuse_bfloat16_interface(graph: onnx.GraphProto) -> None:
    findings = [
        Finding(
            code="bfloat16-interface",
            message=f"'{item.name}' is bfloat16, which cannot be handed to ONNX Runtime",
            severity="error",
            remedy="export the model with float32 inputs and outputs",
        )
        for item in (*graph.input, *graph.output)
        if item.type.tensor_type.elem_type == TensorProto.BFLOAT16
    ]
    if findings:
        raise UnsupportedOpError("the model has bfloat16 inputs or outputs", findings=findings)


def _cast_inputs(graph: onnx.GraphProto) -> list[Change]:
    changes = []
    for item in graph.input:
        if item.type.tensor_type.elem_type not in OTHER_FLOATS:
            continue
        inner = _rename(graph, item.name)
        name = f"{item.name}.to_float32"
        cast = onnx.helper.make_node("Cast", [item.name], [inner], name, to=TensorProto.FLOAT)
        graph.node.insert(0, cast)
        changes.append(Change(node=item.name, op="input", became=f"float32 behind '{name}'"))
    return changes


def _cast_outputs(graph: onnx.GraphProto) -> list[Change]:
    changes = []
    for item in graph.output:
        wanted = item.type.tensor_type.elem_type
        if wanted not in OTHER_FLOATS:
            continue
        inner = _rename(graph, item.name)
        name = f"{item.name}.to_{OTHER_FLOATS[wanted]}"
        graph.node.append(onnx.helper.make_node("Cast", [inner], [item.name], name, to=wanted))
        changes.append(Change(node=item.name, op="output", became=f"float32 before '{name}'"))
    return changes


def _rename(graph: onnx.GraphProto, name: str) -> str:
    """Let all nodes, also those inside nodes, speak of ``name.float32`` instead of ``name``."""
    levels = list(all_graphs(graph))
    taken = {tensor for level in levels for node in level.node for tensor in node.output}
    new = f"{name}.float32"
    while new in taken:
        new += "_"
    for level in levels:
        for node in level.node:
            for tensors in (node.input, node.output):
                for index, tensor in enumerate(tensors):
                    if tensor == name:
                        tensors[index] = new
        if level is not graph:
            for item in level.output:
                if item.name == name:
                    item.name = new
    return new

"""Integer products become float products of what the integers stand for.

    ConvInteger(q, w, z, zw)       →  Conv(q - z, w - zw)          q - z = DQ(q, 1, z)
    MatMulInteger(q, w, z, zw)     →  MatMul(q - z, w - zw)
    MatMulIntegerToFloat(q, w, s, sw, z, zw, b)   →  Add(MatMul(DQ(q, s, z), DQ(w, sw, zw)), b)
    DynamicQuantizeMatMul(x, w, sw, zw, b)        →  the same with DynamicQuantizeLinear(x)

Exact up to float32 rounding of sums above 2^24. The result is float32 where int32 stood, so all
readers must be Casts to float, as onnxruntime's quantizer writes them.
Source: ONNX operator specification; onnxruntime docs/ContribOperators.md.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.formats.expand_qlinear import MICROSOFT
from onnx2snn.converter.graph.rewiring import (
    Names,
    constant_operand,
    is_op,
    is_output,
    operand,
    rank,
)
from onnx2snn.ir.findings import Change

INTEGER = ("ConvInteger", "MatMulInteger")
MICROSOFT_INTEGER = ("MatMulIntegerToFloat", "DynamicQuantizeMatMul")


def expand_integer(graph: gs.Graph) -> list[Change]:
    """Writes products of integers as products of floats."""
    names = Names(graph)
    changes = []
    for node in list(graph.nodes):
        if is_op(node, "ConvInteger", "MatMulInteger") and _is_read_as_float(graph, node):
            op = node.op.removesuffix("Integer")
            _product(graph, node, names, op)
        elif node.domain == MICROSOFT and node.op == "MatMulIntegerToFloat":
            op = "MatMul"
            _to_float(graph, node, names)
        elif node.domain == MICROSOFT and node.op == "DynamicQuantizeMatMul":
            op = "MatMul"
            _dynamic(graph, node, names)
        else:
            continue
        changes.append(Change(node=node.name, op=node.op, became=f"{op} of floats"))
    return changes


def _is_read_as_float(graph: gs.Graph, node: gs.Node) -> bool:
    result = node.outputs[0]
    return not is_output(graph, result) and all(
        is_op(reader, "Cast") and reader.attrs["to"] == onnx.TensorProto.FLOAT
        for reader in result.outputs
    )


def _product(graph: gs.Graph, node: gs.Node, names: Names, op: str) -> None:
    builder = Builder(graph, node, names)
    last = 0 if op == "Conv" else (rank(node.inputs[1]) or 2) - 1
    x = _differences(builder, node, 0, axis=1)
    w = _differences(builder, node, 1, axis=last)
    builder.replace(builder.op(op, x, w, main=True, **node.attrs))


def _differences(builder: Builder, node: gs.Node, index: int, axis: int) -> gs.Variable:
    """Integers minus their zero point, as floats."""
    zero, values = operand(node, index + 2), constant_operand(node, index + 2)
    ones = np.ones(() if values is None else values.shape, np.float32)
    return builder.op("DequantizeLinear", node.inputs[index], ones, zero, axis=axis)


def _to_float(graph: gs.Graph, node: gs.Node, names: Names) -> None:
    builder = Builder(graph, node, names)
    a = builder.op("DequantizeLinear", node.inputs[0], node.inputs[2], operand(node, 4))
    b = builder.op("DequantizeLinear", node.inputs[1], node.inputs[3], operand(node, 5), axis=1)
    _finish(builder, a, b, operand(node, 6))


def _dynamic(graph: gs.Graph, node: gs.Node, names: Names) -> None:
    builder = Builder(graph, node, names)
    quantised = builder.ops("DynamicQuantizeLinear", node.inputs[0], outputs=3)
    a = builder.op("DequantizeLinear", *quantised)
    b = builder.op("DequantizeLinear", node.inputs[1], node.inputs[2], operand(node, 3), axis=1)
    _finish(builder, a, b, operand(node, 4))


def _finish(builder: Builder, a: gs.Tensor, b: gs.Tensor, bias: gs.Tensor | None) -> None:
    result = builder.op("MatMul", a, b, main=True)
    builder.replace(result if bias is None else builder.op("Add", result, bias))

"""Quantised operators become the float operator between DequantizeLinear and QuantizeLinear.

    QLinearConv(x, sx, zx, w, sw, zw, sy, zy, b)
        →  QuantizeLinear(Conv(DQ(x, sx, zx), DQ(w, sw, zw), sx sw b), sy, zy)

and so for QLinearMatMul and the com.microsoft family (QLinearAdd, QLinearMul, QLinearConcat,
QLinearAveragePool, QLinearGlobalAveragePool, QLinearReduceMean, QLinearLeakyRelu, QLinearSigmoid,
QLinearSoftmax, QGemm). ONNX defines them so, but for ties of the rounding.
Source: ONNX operator specification; onnxruntime docs/ContribOperators.md.

Refuses: a bias whose scales are computed; channels-last pools.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.graph.rewiring import (
    STANDARD_DOMAINS,
    Names,
    constant_operand,
    constant_values,
    is_op,
    operand,
    rank,
)
from onnx2snn.ir.findings import Change

MICROSOFT = "com.microsoft"


def expand_qlinear(graph: gs.Graph) -> list[Change]:
    """Writes every operator on quantised tensors as a float operator between quantisers."""
    names = Names(graph)
    changes = []
    for node in list(graph.nodes):
        if node.domain == MICROSOFT and node.op in ("QuantizeLinear", "DequantizeLinear"):
            node.domain = None  # the same operator, from before the standard had all its types
            changes.append(Change(node=node.name, op=node.op, became=f"the standard {node.op}"))
            continue
        table = QUANTISED if node.domain in STANDARD_DOMAINS else MICROSOFT_QUANTISED
        known = node.domain in (*STANDARD_DOMAINS, MICROSOFT)
        write = table.get(node.op) if known else None
        if write is not None and write(graph, node, names):
            became = f"{node.op.removeprefix('QLinear')} between quantisers"
            changes.append(Change(node=node.name, op=node.op, became=became))
    return changes


class _Quantised(Builder):
    """Reads and writes quantised tensors by the positions of (tensor, scale, zero point)."""

    def __init__(self, graph: gs.Graph, node: gs.Node, names: Names) -> None:
        super().__init__(graph, node, names)
        self.node = node

    def read(self, index: int, *, axis: int = 1) -> gs.Variable:
        """The float value of the quantised input at ``index``, followed by scale and zero."""
        tensor, scale, zero = (operand(self.node, index + offset) for offset in range(3))
        return self.op("DequantizeLinear", tensor, scale, zero, axis=axis)

    def write(self, value: gs.Variable, index: int) -> bool:
        """Quantise the result with the scale and zero point at ``index``."""
        scale, zero = operand(self.node, index), operand(self.node, index + 1)
        self.replace(self.op("QuantizeLinear", value, scale, zero))
        return True

    def bias(self, index: int, first: int, second: int, factor: float = 1.0) -> Bias:
        """An int32 bias in units of the product of two scales; None if left out."""
        if operand(self.node, index) is None:
            return None
        values = constant_operand(self.node, index)
        scales = [constant_operand(self.node, place) for place in (first, second)]
        if values is None or any(scale is None for scale in scales):
            return False
        unit = np.asarray(scales[0], np.float64) * np.asarray(scales[1], np.float64) * factor
        return (np.asarray(values, np.float64) * unit).astype(np.float32)


Bias = np.ndarray | None | bool


def _conv(graph: gs.Graph, node: gs.Node, names: Names) -> bool:
    builder = _Quantised(graph, node, names)
    bias = builder.bias(8, 1, 4)
    if isinstance(bias, bool):
        return False
    x, w = builder.read(0), builder.read(3, axis=0)
    return builder.write(builder.op("Conv", x, w, bias, main=True, **node.attrs), 6)


def _matmul(graph: gs.Graph, node: gs.Node, names: Names) -> bool:
    builder = _Quantised(graph, node, names)
    last = (rank(node.inputs[3]) or 2) - 1
    a, b = builder.read(0), builder.read(3, axis=last)
    return builder.write(builder.op("MatMul", a, b, main=True), 6)


def _gemm(graph: gs.Graph, node: gs.Node, names: Names) -> bool:
    builder = _Quantised(graph, node, names)
    bias = builder.bias(6, 1, 4, float(node.attrs.get("alpha", 1.0)))
    if isinstance(bias, bool):
        return False
    transposed = bool(node.attrs.get("transB", 0))
    a, b = builder.read(0), builder.read(3, axis=0 if transposed else 1)
    attrs = {key: node.attrs[key] for key in ("alpha", "transA", "transB") if key in node.attrs}
    result = builder.op("Gemm", a, b, bias, main=True, **attrs)
    if operand(node, 7) is None:
        builder.replace(result)
        return True
    return builder.write(result, 7)


def _binary(op: str) -> Writer:
    def write(graph: gs.Graph, node: gs.Node, names: Names) -> bool:
        builder = _Quantised(graph, node, names)
        return builder.write(builder.op(op, builder.read(0), builder.read(3), main=True), 6)

    return write


def _unary(op: str, *kept: str) -> Writer:
    def write(graph: gs.Graph, node: gs.Node, names: Names) -> bool:
        if node.attrs.get("channels_last", 0):
            return False
        builder = _Quantised(graph, node, names)
        attrs = {key: node.attrs[key] for key in kept if key in node.attrs}
        return builder.write(builder.op(op, builder.read(0), main=True, **attrs), 3)

    return write


def _concat(graph: gs.Graph, node: gs.Node, names: Names) -> bool:
    builder = _Quantised(graph, node, names)
    parts = [builder.read(index) for index in range(2, len(node.inputs), 3)]
    return builder.write(builder.op("Concat", *parts, main=True, axis=node.attrs["axis"]), 0)


def _reduce_mean(graph: gs.Graph, node: gs.Node, names: Names) -> bool:
    builder = _Quantised(graph, node, names)
    axes = node.attrs.get("axes")
    target = builder.constant([int(axis) for axis in axes]) if axes else None
    keep = int(node.attrs.get("keepdims", 1))
    mean = builder.op("ReduceMean", builder.read(0), target, main=True, keepdims=keep)
    return builder.write(mean, 3)


def is_quantiser(node: gs.Node | None) -> bool:
    """Whether the node quantises by one constant scale and zero point."""
    return is_op(node, "QuantizeLinear") and node is not None and grid_of(node) is not None


def grid_of(node: gs.Node) -> tuple[float, int, np.dtype[np.generic]] | None:
    """Scale, zero point and type of a QuantizeLinear or DequantizeLinear; None if not scalar."""
    scale, zero = constant_operand(node, 1), constant_values(operand(node, 2))
    if operand(node, 2) is None:
        zero = np.zeros((), _default_type(node))
    if scale is None or zero is None or scale.size != 1 or zero.size != 1:
        return None
    return float(scale.flat[0]), int(zero.flat[0]), zero.dtype


def _default_type(node: gs.Node) -> np.dtype[np.generic]:
    """The type that a quantiser without zero point writes."""
    stated = int(node.attrs.get("output_dtype", 0) or onnx.TensorProto.UINT8)
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(stated))


Writer = Callable[[gs.Graph, gs.Node, Names], bool]
_POOL = ("kernel_shape", "strides", "pads", "auto_pad", "ceil_mode", "count_include_pad")
QUANTISED: dict[str, Writer] = {"QLinearConv": _conv, "QLinearMatMul": _matmul}
MICROSOFT_QUANTISED: dict[str, Writer] = {
    "QLinearConv": _conv,
    "QGemm": _gemm,
    "QLinearAdd": _binary("Add"),
    "QLinearMul": _binary("Mul"),
    "QLinearConcat": _concat,
    "QLinearAveragePool": _unary("AveragePool", *_POOL),
    "QLinearGlobalAveragePool": _unary("GlobalAveragePool"),
    "QLinearReduceMean": _reduce_mean,
    "QLinearLeakyRelu": _unary("LeakyRelu", "alpha"),
    "QLinearSigmoid": _unary("Sigmoid"),
    "QLinearSoftmax": _unary("Softmax", "axis"),
}

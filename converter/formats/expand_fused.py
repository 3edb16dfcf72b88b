"""Fused operators of ONNX Runtime become the standard operators they were fused from.

    FusedConv(x, w, b, z)  →  act(Conv(x, w, b) + z)         FusedGemm  →  act(Gemm(a, b, c))
    FusedMatMul(a, b)      →  alpha MatMul(a', b')           TransposeMatMul: the same
    BiasGelu(x, b)         →  Gelu(x + b)                    FastGelu(x, b)  →  tanh-Gelu(x + b)
    QuickGelu(x)           →  x Sigmoid(alpha x)             BiasAdd(x, b, s)  →  x + b + s
    SkipLayerNormalization(x, s, gamma, beta, b)             →  LayerNormalization(x + s + b)
    SkipSimplifiedLayerNormalization(x, s, gamma, b)         →  RMSNorm(x + s + b)

Source: onnxruntime docs/ContribOperators.md.

Refuses (refuse_foreign then names the node): transposed batch axes, outputs for training,
activations the standard does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.formats.expand_qlinear import MICROSOFT
from onnx2snn.converter.graph.rewiring import Names, operand, rank
from onnx2snn.ir.findings import Change


def expand_fused(graph: gs.Graph) -> list[Change]:
    """Writes fused operators as standard ones."""
    names = Names(graph)
    changes = []
    for node in list(graph.nodes):
        write = FUSED.get(node.op) if node.domain == MICROSOFT else None
        if write is not None and write(Builder(graph, node, names), node):
            changes.append(Change(node=node.name, op=node.op, became="standard operators"))
    return changes


def _activated(builder: Builder, node: gs.Node, x: gs.Variable, values: list[float]) -> bool:
    """Apply the node's activation, with the parameters in their order, and finish."""
    name = node.attrs.get("activation", "")
    if name == "Clip":
        result = builder.op("Clip", x, *(float(value) for value in values[:2]))
    elif name in _PARAMETERS:
        given = zip(_PARAMETERS[name], values, strict=False)
        attrs: dict[str, Any] = {key: float(value) for key, value in given}
        result = builder.op(name, x, **attrs)
    elif not name:
        result = x
    else:
        return False
    builder.replace(result)
    return True


def _conv(builder: Builder, node: gs.Node) -> bool:
    attrs = {key: value for key, value in node.attrs.items() if not key.startswith("activation")}
    inputs = [operand(node, index) for index in range(3)]
    result = builder.op("Conv", *inputs, main=True, **attrs)
    residual = operand(node, 3)
    if residual is not None:
        result = builder.op("Add", result, residual)
    return _activated(builder, node, result, list(node.attrs.get("activation_params", ())))


def _gemm(builder: Builder, node: gs.Node) -> bool:
    attrs = {key: value for key, value in node.attrs.items() if not key.startswith("activation")}
    result = builder.op("Gemm", *(operand(node, i) for i in range(3)), main=True, **attrs)
    given = [node.attrs.get(f"activation_{key}") for key in ("alpha", "beta")]
    return _activated(builder, node, result, [value for value in given if value is not None])


def _matmul(builder: Builder, node: gs.Node) -> bool:
    if node.attrs.get("transBatchA", 0) or node.attrs.get("transBatchB", 0):
        return False
    sides = []
    for index, key in enumerate(("transA", "transB")):
        tensor, axes = node.inputs[index], rank(node.inputs[index])
        if node.attrs.get(key, 0) and axes != 1:
            if axes is None:
                return False
            perm = [*range(axes - 2), axes - 1, axes - 2]
            tensor = builder.op("Transpose", tensor, perm=perm)
        sides.append(tensor)
    result = builder.op("MatMul", *sides, main=True)
    alpha = float(node.attrs.get("alpha", 1.0))
    builder.replace(result if alpha == 1.0 else builder.op("Mul", result, alpha))
    return True


def _gelu(approximate: str) -> Writer:
    def write(builder: Builder, node: gs.Node) -> bool:
        x, bias = node.inputs[0], operand(node, 1)
        x = x if bias is None else builder.op("Add", x, bias)
        builder.replace(builder.op("Gelu", x, main=True, approximate=approximate))
        return True

    return write


def _quick_gelu(builder: Builder, node: gs.Node) -> bool:
    x, alpha = node.inputs[0], float(node.attrs.get("alpha", 1.702))
    gate = builder.op("Sigmoid", builder.op("Mul", x, alpha))
    builder.replace(builder.op("Mul", x, gate, main=True))
    return True


def _bias_add(builder: Builder, node: gs.Node) -> bool:
    x = builder.op("Add", node.inputs[0], node.inputs[1])
    builder.replace(builder.op("Add", x, node.inputs[2], main=True))
    return True


def _skip_norm(builder: Builder, node: gs.Node) -> bool:
    if any(not output.is_empty() and output.outputs for output in node.outputs[1:3]):
        return False
    simplified = node.op == "SkipSimplifiedLayerNormalization"
    total = builder.op("Add", node.inputs[0], node.inputs[1])
    bias = operand(node, 3 if simplified else 4)
    if bias is not None:
        total = builder.op("Add", total, bias)
    epsilon = float(node.attrs.get("epsilon", 1e-12))
    result = (_rms if simplified else _layer_norm)(builder, node, total, epsilon)
    builder.replace(result, *(builder.op("Identity", total) for _ in node.outputs[1:]))
    return True


def _layer_norm(builder: Builder, node: gs.Node, x: gs.Variable, epsilon: float) -> gs.Variable:
    scale, shift = operand(node, 2), operand(node, 3)
    return builder.op("LayerNormalization", x, scale, shift, main=True, axis=-1, epsilon=epsilon)


def _rms(builder: Builder, node: gs.Node, x: gs.Variable, epsilon: float) -> gs.Variable:
    mean = builder.op("ReduceMean", builder.op("Mul", x, x), [-1], keepdims=1)
    root = builder.op("Sqrt", builder.op("Add", mean, epsilon))
    return builder.op("Mul", builder.op("Div", x, root), node.inputs[2], main=True)


Writer = Callable[[Builder, gs.Node], bool]
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "Elu": ("alpha",),
    "Softplus": (),
    "Softsign": (),
    "HardSwish": (),
}
FUSED: dict[str, Writer] = {
    "FusedConv": _conv,
    "FusedGemm": _gemm,
    "FusedMatMul": _matmul,
    "TransposeMatMul": _matmul,
    "Gelu": _gelu("none"),
    "BiasGelu": _gelu("none"),
    "FastGelu": _gelu("tanh"),
    "QuickGelu": _quick_gelu,
    "BiasAdd": _bias_add,
    "SkipLayerNormalization": _skip_norm,
    "SkipSimplifiedLayerNormalization": _skip_norm,
}

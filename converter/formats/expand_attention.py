"""Fused attention of ONNX Runtime becomes projections, two products and a Softmax.

    MultiHeadAttention(q, k, v, b)  →  Softmax(scale Q Kᵀ + a) V, heads side by side
    Attention(x, W, b)              →  the same with Q, K, V = x W + b in three parts

Q, K, V are q, k, v plus their parts of b, split into heads; scale is 1 / sqrt(head width) unless
given; a is the attention bias, and for causal attention the mask of what lies ahead.
Source: onnxruntime docs/ContribOperators.md; Vaswani et al., NeurIPS 2017.

Refuses (refuse_foreign then names the node): padding masks, past states, rotary embedding, packed
projections, computed weights, causal attention over an open length, outputs besides the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.formats.expand_qlinear import MICROSOFT
from onnx2snn.converter.graph.rewiring import Names, constant_operand, operand, static_dims
from onnx2snn.ir.findings import Change

_EXTRAS = ("do_rotary", "past_present_share_buffer", "rotary_embedding_dim")


_BIAS = 5
"""Position of the attention bias in both operators."""


def expand_attention(graph: gs.Graph) -> list[Change]:
    """Writes fused attention as standard operators."""
    names = Names(graph)
    changes = []
    for node in list(graph.nodes):
        if node.domain != MICROSOFT or not _is_plain(node):
            continue
        builder = Builder(graph, node, names)
        parts = ATTENTION[node.op](builder, node)
        if parts is not None:
            builder.replace(_attend(builder, node, *parts))
            changes.append(Change(node=node.name, op=node.op, became="standard operators"))
    return changes


def _is_plain(node: gs.Node) -> bool:
    plain_inputs = {"MultiHeadAttention": 4, "Attention": 3}.get(node.op)
    if plain_inputs is None or any(node.attrs.get(name, 0) for name in _EXTRAS):
        return False
    if node.attrs.get("unidirectional", 0) and _causal_mask(node) is None:
        return False
    extra = [index for index in range(plain_inputs, len(node.inputs)) if index != _BIAS]
    return all(operand(node, index) is None for index in extra) and all(
        output.is_empty() or not output.outputs for output in node.outputs[1:]
    )


def _given(builder: Builder, node: gs.Node) -> tuple[gs.Tensor, ...] | None:
    """Q, K, V of MultiHeadAttention."""
    parts = [operand(node, index) for index in range(3)]
    dims = [static_dims(part) for part in parts]
    widths = [d[-1] if d is not None and len(d) == 3 else None for d in dims]
    if any(width is None for width in widths):
        return None
    bias = constant_operand(node, 3)
    if operand(node, 3) is None:
        return tuple(parts)
    if bias is None:
        return None
    ends = np.cumsum([width or 0 for width in widths])[:-1]
    return tuple(
        builder.op("Add", part, np.ascontiguousarray(piece, np.float32))
        for part, piece in zip(parts, np.split(bias, ends), strict=True)
    )


def _projected(builder: Builder, node: gs.Node) -> tuple[gs.Tensor, ...] | None:
    """Q, K, V of Attention."""
    weights, bias = constant_operand(node, 1), constant_operand(node, 2)
    if weights is None or (bias is None and operand(node, 2) is not None):
        return None
    sizes = list(node.attrs.get("qkv_hidden_sizes") or [weights.shape[1] // 3] * 3)
    ends = np.cumsum(sizes)[:-1]
    shifts: list[NDArray[np.generic] | None] = [None] * 3 if bias is None else np.split(bias, ends)
    parts = []
    for piece, shift in zip(np.split(weights, ends, axis=1), shifts, strict=True):
        part = builder.op("MatMul", node.inputs[0], np.ascontiguousarray(piece, np.float32))
        if shift is not None:
            part = builder.op("Add", part, np.asarray(shift, np.float32))
        parts.append(part)
    return tuple(parts)


def _attend(
    builder: Builder, node: gs.Node, q: gs.Tensor, k: gs.Tensor, v: gs.Tensor
) -> gs.Variable:
    heads = int(node.attrs["num_heads"])
    width = _width(node) // heads
    scale = float(node.attrs.get("scale", 0.0)) or 1.0 / math.sqrt(width)
    split = [0, 0, heads, -1]
    query = builder.op("Transpose", builder.op("Reshape", q, split), perm=[0, 2, 1, 3])
    key = builder.op("Transpose", builder.op("Reshape", k, split), perm=[0, 2, 3, 1])
    value = builder.op("Transpose", builder.op("Reshape", v, split), perm=[0, 2, 1, 3])
    scores = builder.op("MatMul", builder.op("Mul", query, scale), key)
    bias, mask = operand(node, _BIAS), _causal_mask(node)
    if bias is not None:
        scores = builder.op("Add", scores, bias)
    if node.attrs.get("unidirectional", 0) and mask is not None:
        scores = builder.op("Add", scores, mask)
    mixed = builder.op("MatMul", builder.op("Softmax", scores, main=True, axis=-1), value)
    joined = builder.op("Transpose", mixed, perm=[0, 2, 1, 3])
    return builder.op("Reshape", joined, [0, 0, -1])


def _causal_mask(node: gs.Node) -> NDArray[np.float32] | None:
    """What is added to scores [L, L] so that no position sees the ones behind it."""
    dims = static_dims(node.inputs[0])
    length = dims[1] if dims is not None and len(dims) == 3 else None
    if length is None:
        return None
    hidden = float(node.attrs.get("mask_filter_value", -10000.0))
    return np.triu(np.full((length, length), hidden, np.float32), 1)


def _width(node: gs.Node) -> int:
    """How wide all heads of Q are together."""
    if node.op == "Attention":
        weights = constant_operand(node, 1)
        sizes = node.attrs.get("qkv_hidden_sizes")
        return int(sizes[0]) if sizes else np.asarray(weights).shape[1] // 3
    return int((static_dims(node.inputs[0]) or [0])[-1] or 0)


Parts = tuple[gs.Tensor, ...]
ATTENTION: dict[str, Callable[[Builder, gs.Node], Parts | None]] = {
    "MultiHeadAttention": _given,
    "Attention": _projected,
}

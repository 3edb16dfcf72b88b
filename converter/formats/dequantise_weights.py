"""Operators of ONNX Runtime with quantised weights become the operator with dequantised ones.

    MatMulNBits(x, w, s, z, g, b)         →  MatMul(x, W) + b,  W[k, n] = s[n, k/B] (w[n, k] - z)
    DynamicQuantizeLSTM(x, w, r, b, ...)  →  LSTM(x, s_w (w - z_w), s_r (r - z_r), b, ...)

Weights of the first are blocks of B values along k, packed low bits first; the zero point is
2^(bits-1) where none is given. Exact. Weights of the second lie transposed: [directions, input,
4 hidden]. It rounds its activations at run time, to 8 bits of the range they have; that rounding is
left out, as for every dynamic quantiser, and how far outputs move is said.
Source: onnxruntime docs/ContribOperators.md.

Refuses: computed weights, a group index (g), bits other than 2, 4 and 8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.formats.expand_qlinear import MICROSOFT
from onnx2snn.converter.graph.rewiring import Names, constant_operand, operand
from onnx2snn.ir.findings import Change

Values = NDArray[np.float32]
_LSTM_INPUTS = 8
"""x, w, r, b, sequence_lens, initial_h, initial_c, p: as LSTM has them."""


def dequantise_weights(graph: gs.Graph) -> list[Change]:
    """Writes products with packed weights as products with float weights."""
    return _write(graph, PACKED)


def dequantise_lstm(graph: gs.Graph) -> list[Change]:
    """Writes dynamically quantised LSTMs as LSTMs, without the rounding of their activations."""
    return _write(graph, DYNAMIC)


def _write(graph: gs.Graph, table: Mapping[str, Writer]) -> list[Change]:
    names = Names(graph)
    changes = []
    for node in list(graph.nodes):
        write = table.get(node.op) if node.domain == MICROSOFT else None
        if write is not None and write(Builder(graph, node, names), node):
            changes.append(Change(node=node.name, op=node.op, became="float weights"))
    return changes


def _lstm(builder: Builder, node: gs.Node) -> bool:
    weights = [_of_gates(node, 1, 8), _of_gates(node, 2, 10)]
    if any(value is None for value in weights):
        return False
    kept = [operand(node, index) for index in range(3, _LSTM_INPUTS)]
    results = builder.ops(
        "LSTM", node.inputs[0], *weights, *kept, outputs=len(node.outputs), main=True, **node.attrs
    )
    builder.replace(*results)
    return True


def _of_gates(node: gs.Node, index: int, scale_index: int) -> Values | None:
    """Return the weights [directions, 4 hidden, k] of gates, in float32."""
    stored = constant_operand(node, index)
    scale, zero = (constant_operand(node, scale_index + offset) for offset in range(2))
    if stored is None or scale is None or zero is None:
        return None
    along = (len(stored), 1, -1)  # one number per direction, or one per direction and gate row
    shifted = stored.astype(np.float32) - zero.astype(np.float32).reshape(along)
    scaled = shifted * scale.astype(np.float32).reshape(along)
    return np.ascontiguousarray(np.swapaxes(scaled, 1, 2), np.float32)


def _n_bits(builder: Builder, node: gs.Node) -> bool:
    weights = _unpacked(node)
    if weights is None or operand(node, 4) is not None:
        return False
    result = builder.op("MatMul", node.inputs[0], weights, main=True)
    bias = operand(node, 5)
    builder.replace(result if bias is None else builder.op("Add", result, bias))
    return True


def _unpacked(node: gs.Node) -> Values | None:
    """Return the weights [k, n] of MatMulNBits."""
    k, n = int(node.attrs["K"]), int(node.attrs["N"])
    bits, block = int(node.attrs.get("bits", 4)), int(node.attrs["block_size"])
    stored, scales, zeros = (constant_operand(node, index) for index in (1, 2, 3))
    if stored is None or scales is None or bits not in (2, 4, 8):
        return None
    if zeros is None and operand(node, 3) is not None:
        return None
    blocks = -(-k // block)
    levels = _bits_of(stored.reshape(n, -1), bits).reshape(n, blocks, block)
    middle = np.full((n, blocks), 2.0 ** (bits - 1), np.float32)
    if zeros is not None and zeros.dtype.kind == "f":
        middle = zeros.astype(np.float32).reshape(n, blocks)
    elif zeros is not None:
        middle = _bits_of(zeros.reshape(n, -1), bits)[:, :blocks]
    values = (levels - middle[..., None]) * scales.astype(np.float32).reshape(n, blocks, 1)
    return np.ascontiguousarray(values.reshape(n, -1)[:, :k].T, np.float32)


def _bits_of(packed: NDArray[np.generic], bits: int) -> Values:
    """Unpack bytes [n, m] into [n, m 8 / bits] numbers, low bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    parts = (packed.astype(np.uint8)[..., None] >> shifts) & np.uint8(2**bits - 1)
    return np.asarray(parts.reshape(len(packed), -1), np.float32)


Writer = Callable[[Builder, gs.Node], bool]
PACKED: Mapping[str, Writer] = {"MatMulNBits": _n_bits}
DYNAMIC: Mapping[str, Writer] = {"DynamicQuantizeLSTM": _lstm}

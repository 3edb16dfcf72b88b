"""A weighted sum by constants, whatever operator writes it: Conv, ConvTranspose, Gemm or MatMul.

Seen as ``y[o] = sum_i W[o, i] x[i] + b[o]`` with ``o`` output and ``i`` input channels, so that
scales of either side can be multiplied into ``W`` without knowing the layout.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from onnx2snn.converter.graph.rewiring import (
    Names,
    constant_operand,
    is_op,
    operand,
    rank,
    set_constant,
)

Vector = NDArray[np.float64]


class Synapse:
    """A weighted node with its weight as ``[group, out, in, taps]`` in float64."""

    def __init__(self, node: gs.Node) -> None:
        self.node = node
        weight = constant_operand(node, 1)
        if weight is None:
            raise ValueError("the weight is no constant")
        self._stored = weight
        self.group = int(node.attrs.get("group", 1)) if _is_convolution(node) else 1

    @property
    def weight(self) -> NDArray[np.float64]:
        """The weight as ``[group, out, in, taps]``."""
        w: NDArray[np.float64] = np.asarray(self._stored, np.float64)
        if _is_convolution(self.node):
            w = w.reshape(self.group, w.shape[0] // self.group, w.shape[1], -1)
            return w if self.node.op == "Conv" else w.swapaxes(1, 2)
        if self.node.op == "Gemm":
            w = w * float(self.node.attrs.get("alpha", 1.0))
        return (w if self._is_transposed else w.T)[None, :, :, None]

    @property
    def _is_transposed(self) -> bool:
        """Whether a matrix is stored as [out, in]."""
        return bool(self.node.op == "Gemm" and self.node.attrs.get("transB", 0))

    @property
    def out_channels(self) -> int:
        """Number of output channels."""
        return int(self.weight.shape[0] * self.weight.shape[1])

    @property
    def in_channels(self) -> int:
        """Number of input channels."""
        return int(self.weight.shape[0] * self.weight.shape[2])

    @property
    def has_bias_slot(self) -> bool:
        """Whether the operator can add a constant itself."""
        return bool(self.node.op != "MatMul")

    def bias(self) -> Vector | None:
        """The bias per output channel; None if it is computed or differs between samples."""
        if not self.has_bias_slot or operand(self.node, 2) is None:
            return np.zeros(self.out_channels)
        stored = constant_operand(self.node, 2)
        if stored is None or stored.size not in (1, self.out_channels):
            return None
        beta = self.node.attrs.get("beta", 1.0) if self.node.op == "Gemm" else 1.0
        values: Vector = np.asarray(stored, np.float64).reshape(-1) * beta
        if stored.size != 1 and stored.shape[-1] != self.out_channels:
            return None
        return np.broadcast_to(values, (self.out_channels,)).copy()

    def store(self, weight: NDArray[np.float64], bias: Vector | None, names: Names) -> None:
        """Write weight and bias back; constants that other nodes read stay as they are."""
        set_constant(self.node, 1, self._laid_out(weight), names, "weight")
        if self.node.op == "Gemm":
            self.node.attrs.pop("alpha", None)
            self.node.attrs.pop("beta", None)
        if bias is not None and self.has_bias_slot:
            set_constant(self.node, 2, bias.astype(self._stored.dtype), names, "bias")

    def _laid_out(self, weight: NDArray[np.float64]) -> NDArray[np.generic]:
        if self.node.op == "Conv":
            w = weight
        elif self.node.op == "ConvTranspose":
            w = weight.swapaxes(1, 2)
        elif self._is_transposed:
            w = weight[0, :, :, 0]
        else:
            w = weight[0, :, :, 0].T
        return w.reshape(self._stored.shape).astype(self._stored.dtype)


def as_synapse(node: gs.Node | None) -> Synapse | None:
    """The node as a weighted sum by constants, if it is one."""
    if node is None or not is_op(node, "Conv", "ConvTranspose", "Gemm", "MatMul"):
        return None
    weight = constant_operand(node, 1)
    if weight is None or weight.dtype.kind != "f":
        return None
    if node.op == "MatMul" and weight.ndim != 2:
        return None
    if node.op in ("Gemm", "MatMul") and isinstance(node.inputs[0], gs.Constant):
        return None
    return Synapse(node)


def output_channel_axis(node: gs.Node) -> int | None:
    """Axis of the output channels in the node's result."""
    if node.op in ("Gemm", "MatMul"):
        axes = rank(node.outputs[0])
        return None if axes is None else axes - 1
    return 1


def input_channel_axis(node: gs.Node) -> int | None:
    """Axis of the input channels in the node's data."""
    if node.op == "Gemm":
        return None if node.attrs.get("transA", 0) else 1
    if node.op == "MatMul":
        axes = rank(node.inputs[0])
        return None if axes is None else axes - 1
    return 1


def is_padded(node: gs.Node) -> bool:
    """Whether a Conv also sums over zeros outside its data."""
    auto = node.attrs.get("auto_pad", "NOTSET")
    return auto not in ("NOTSET", "VALID") or any(node.attrs.get("pads", ()))


def per_channel(
    values: NDArray[np.generic] | None, axes: int | None, channel_axis: int | None, channels: int
) -> Vector | None:
    """A constant that varies along the channel axis only, as one value per channel.

    Args:
        values: the constant; it broadcasts against a tensor with that many axes.
        axes: number of axes of that tensor.
        channel_axis: which of them is the channels'.
        channels: how many there are.

    Returns:
        float64 (C,), or None if the constant varies along another axis, or is none.
    """
    if values is None or axes is None or channel_axis is None or values.ndim > axes:
        return None
    if values.dtype.kind != "f":
        return None
    aligned: Sequence[int] = [1] * (axes - values.ndim) + list(values.shape)
    for axis, length in enumerate(aligned):
        if length != 1 and (axis != channel_axis or length != channels):
            return None
    vector = np.asarray(values, np.float64).reshape(-1)
    return np.broadcast_to(vector, (channels,)).copy()


def _is_convolution(node: gs.Node) -> bool:
    return bool(node.op in ("Conv", "ConvTranspose"))

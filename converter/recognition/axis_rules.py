"""Numpy forms of the operators in regions that look at axes: means, sums, reshapes, moments."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from onnx2snn.converter.graph.rewiring import constant_values, operand

Values = NDArray[np.float64]
Rule = Callable[[list[Values], gs.Node], Values]


def axes_of(node: gs.Node) -> tuple[int, ...] | None:
    """Return the constant axes of a reduction or of Squeeze and Unsqueeze; None if not constant."""
    axes = constant_values(operand(node, 1))
    return None if axes is None else tuple(int(axis) for axis in axes.reshape(-1))


def _mean(inputs: list[Values], node: gs.Node) -> Values:
    return np.asarray(inputs[0].mean(axis=axes_of(node), keepdims=_keeps(node)))


def _sum(inputs: list[Values], node: gs.Node) -> Values:
    return np.asarray(inputs[0].sum(axis=axes_of(node), keepdims=_keeps(node)))


def _keeps(node: gs.Node) -> bool:
    return bool(node.attrs.get("keepdims", 1))


def _reshape(inputs: list[Values], _node: gs.Node) -> Values:
    """Zeros copy a length, as ONNX has it where allowzero is not set."""
    x, wanted = inputs[0], [int(length) for length in inputs[1].reshape(-1)]
    return x.reshape([x.shape[i] if length == 0 else length for i, length in enumerate(wanted)])


def _squeeze(inputs: list[Values], node: gs.Node) -> Values:
    return np.asarray(np.squeeze(inputs[0], axes_of(node)))


def _unsqueeze(inputs: list[Values], node: gs.Node) -> Values:
    return np.asarray(np.expand_dims(inputs[0], axes_of(node) or ()))


def _transpose(inputs: list[Values], node: gs.Node) -> Values:
    return np.transpose(inputs[0], node.attrs.get("perm"))


def _instance_normalisation(inputs: list[Values], node: gs.Node) -> Values:
    x, scale, bias = inputs
    axes, along = tuple(range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = (centred**2).mean(axis=axes, keepdims=True)
    normal = centred / np.sqrt(variance + float(node.attrs.get("epsilon", 1e-5)))
    return np.asarray(normal * scale.reshape(along) + bias.reshape(along))


AXIS_RULES: Mapping[str, Rule] = {
    "InstanceNormalization": _instance_normalisation,
    "ReduceMean": _mean,
    "ReduceSum": _sum,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}

"""Synapses between unit spikes: weights take in the scales on both sides.

W' = W scale_in / scale_out
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.converter.unit_spikes.scales import ONE, Constants, Scale, is_uniform_per_channel


class ScaledWeight(NamedTuple):
    """The new weight of a synapse.

    Attributes:
        position: which input of the node it is.
        value: the weight.
        scale: scale of the node's output.
    """

    position: int
    value: NDArray[np.float64]
    scale: Scale


def scaled_weight(
    node: onnx.NodeProto, scales: Sequence[Scale | None], values: Constants, wanted: Scale
) -> ScaledWeight | None:
    """Return the weight of a synapse for unit spikes; None if scales cannot move into it.

    Args:
        node: a linear operator.
        scales: scale of each input that is a stream, None for the others.
        values: the constants of the graph.
        wanted: scale that the readers of the output want.
    """
    if len(node.input) != 2 or sum(scale is not None for scale in scales) != 1:
        return None
    position = 0 if scales[0] is None else 1
    scale = next(scale for scale in scales if scale is not None)
    name = node.input[position]
    if name not in values:
        return None
    weight = np.asarray(values[name], np.float64)
    if node.op_type == "Mul":
        return ScaledWeight(position, np.asarray(weight * scale / wanted), wanted)
    if position != 1:
        return None
    if node.op_type == "Div":
        return ScaledWeight(1, np.asarray(weight / scale * wanted), wanted)
    fold = {"Conv": _conv, "Gemm": _gemm, "MatMul": _matmul}.get(node.op_type)
    return fold(node, weight, scale, wanted) if fold is not None else None


def _conv(
    node: onnx.NodeProto, weight: NDArray[np.float64], scale: Scale, wanted: Scale
) -> ScaledWeight | None:
    if not is_uniform_per_channel(scale):
        return None
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    outputs, per_group = weight.shape[:2]
    column = (outputs, 1, *[1] * (weight.ndim - 2))
    group = np.arange(outputs) // (outputs // groups)
    channel = group[:, None] * per_group + np.arange(per_group)[None, :]
    into = np.broadcast_to(np.ravel(scale), groups * per_group)[channel]
    out, given = _vector(wanted, outputs)
    folded = weight * into.reshape(*into.shape, *column[2:]) / out.reshape(column)
    return ScaledWeight(1, folded, given)


def _gemm(
    node: onnx.NodeProto, weight: NDArray[np.float64], scale: Scale, wanted: Scale
) -> ScaledWeight | None:
    flags = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if flags.get("transA", 0):
        return None
    if not flags.get("transB", 0):
        return _matmul(node, weight, scale, wanted)
    turned = _matmul(node, weight.T, scale, wanted)
    return None if turned is None else turned._replace(value=turned.value.T)


def _matmul(
    node: onnx.NodeProto, weight: NDArray[np.float64], scale: Scale, wanted: Scale
) -> ScaledWeight | None:
    if weight.ndim != 2 or not _is_last(scale):
        return None
    into = np.broadcast_to(np.ravel(scale), weight.shape[0])
    fits = _is_last(wanted)
    out = np.broadcast_to(np.ravel(wanted), weight.shape[1]) if fits else np.ones(1)
    return ScaledWeight(1, weight * into[:, None] / out[None, :], wanted if fits else ONE)


def _is_last(scale: Scale) -> bool:
    """Whether a scale changes along the last axis at most."""
    return all(length == 1 for length in scale.shape[:-1])


def _vector(wanted: Scale, channels: int) -> tuple[Scale, Scale]:
    """Return the wanted scale per channel, and the scale that the output gets."""
    if is_uniform_per_channel(wanted):
        return np.broadcast_to(np.ravel(wanted), channels), wanted
    return np.ones(channels), ONE

"""Scales of streams: how a tensor of the unit-spike net relates to that of the given net.

    x = x_unit * scale            scale broadcasts to x, [1, *F]

``wanted_scales`` looks ahead from the neurons (which scale should a synapse give?), ``carried``
follows a scale through the operators without weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.converter.graph.moves import MOVES, move
from onnx2snn.ir.ops import DOMAIN, GatedMaxPool, MembraneMaxPool, Neuron, spiking_op

Scale = NDArray[np.float64]
Constants = Mapping[str, NDArray[Any]]
Sizes = Mapping[str, tuple[int, ...]]

ONE: Scale = np.ones((), np.float64)
_SUMS = ("Add", "Sub", "Sum", "Mean", "Neg", "Identity")
_POOLS = ("AveragePool", "GlobalAveragePool")
_REDUCTIONS = ("ReduceMean", "ReduceSum")


def same(first: Scale, second: Scale) -> bool:
    """Whether two scales of one tensor are equal."""
    return first is second or bool(np.all(np.equal(first, second)))


def is_uniform_per_channel(scale: Scale) -> bool:
    """Whether a scale changes along axis 1 at most."""
    return all(length == 1 for axis, length in enumerate(scale.shape) if axis != 1)


def shrink(scale: Scale) -> Scale:
    """Drop the extent of every axis along which a scale does not change."""
    for axis in range(scale.ndim):
        first = np.take(scale, [0], axis=axis)
        if np.array_equal(np.broadcast_to(first, scale.shape), scale):
            scale = first
    return scale


def wanted_scales(
    graph: onnx.GraphProto, streams: Collection[str], values: Constants
) -> dict[str, Scale]:
    """Return the scale at which the readers of a stream want it, where they agree on one."""
    wanted: dict[str, Scale] = {}
    torn: set[str] = set()
    for node in reversed(graph.node):
        for name, scale in _wishes(node, wanted, values):
            if name not in streams:
                continue
            if name in wanted and not same(wanted[name], scale):
                torn.add(name)
            wanted.setdefault(name, scale)
    return {name: scale for name, scale in wanted.items() if name not in torn}


def _wishes(
    node: onnx.NodeProto, wanted: Mapping[str, Scale], values: Constants
) -> Iterator[tuple[str, Scale]]:
    after = wanted.get(node.output[0], ONE) if node.output else ONE
    if node.domain == DOMAIN:
        op = spiking_op(node)
        if isinstance(op, Neuron):
            yield node.input[0], np.asarray(values[node.input[1]], np.float64)
        elif isinstance(op, MembraneMaxPool | GatedMaxPool) and is_uniform_per_channel(after):
            yield node.input[0], after
        else:
            yield node.input[0], ONE
        return
    passes = node.op_type in _SUMS or (node.op_type in _POOLS and is_uniform_per_channel(after))
    if node.op_type in MOVES and after.size == 1:
        passes, after = True, after.reshape(())
    for name in node.input:
        yield name, after if passes else ONE


def carried(
    node: onnx.NodeProto, scales: Sequence[Scale | None], values: Constants, sizes: Sizes
) -> list[Scale] | None:
    """Return the scales of a linear operator's outputs; None if its inputs must have scale 1.

    Args:
        node: a linear operator without weights.
        scales: scale of each input that is a stream, None for the others.
        values: the constants of the graph.
        sizes: shape [1, *F] of every stream.
    """
    known = [scale for scale in scales if scale is not None]
    if not known:
        return [ONE] * len(node.output)
    if known[0].size == 1 and all(same(known[0], scale) for scale in known):
        return [known[0].reshape(())] * len(node.output)
    if node.op_type in ("Neg", "Identity"):
        return known
    if node.op_type in _POOLS:
        return known if is_uniform_per_channel(known[0]) else None
    if node.op_type in _REDUCTIONS:
        return _reduced(node, known[0], values, len(sizes[node.input[0]]))
    return _moved(node, scales, values, sizes)


def _reduced(
    node: onnx.NodeProto, scale: Scale, values: Constants, rank: int
) -> list[Scale] | None:
    if len(node.input) < 2 or node.input[1] not in values:
        return None
    axes = tuple(int(axis) % rank for axis in np.ravel(values[node.input[1]]))
    full = scale.reshape([1] * (rank - scale.ndim) + list(scale.shape))
    if any(full.shape[axis] != 1 for axis in axes):
        return None
    keep = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "keepdims"), 1)
    return [full if keep else np.squeeze(full, axes)]


def _moved(
    node: onnx.NodeProto, scales: Sequence[Scale | None], values: Constants, sizes: Sizes
) -> list[Scale] | None:
    if node.op_type not in MOVES:
        return None
    arrays = {
        name: np.broadcast_to(scale, sizes[name])
        for name, scale in zip(node.input, scales, strict=True)
        if scale is not None
    }
    moved = move(node, arrays, values, sizes)
    if moved is None:
        return None
    return [shrink(np.where(scale == 0, 1.0, scale)) for scale in moved]

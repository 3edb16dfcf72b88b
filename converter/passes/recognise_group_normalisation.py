"""Normalisation over positions and groups of channels becomes the operator it is.

    Reshape(x, [N, G, -1]) -> InstanceNormalization -> Reshape back -> * scale -> + bias
    (x - mean) / Sqrt(variance + eps) * scale + bias, means over a group and all positions
        →  GroupNormalization(x, scale, bias), num_groups = G;  InstanceNormalization where G = C

PyTorch exporters write GroupNorm in the first way, TensorFlow, Keras and JAX in the second, with
the channels last; Transposes then stand around the result. The function is compared, not the
writing (``regions``). The node keeps the name of the one that computed the result.

Refuses: lengths that are not known, scales per position, other axes, an epsilon that is no number
in the graph.
Source: Wu and He, ECCV 2018; Ulyanov et al. 2016; ONNX operator specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.graph.rewiring import Names, constant_operand, drop_dead, static_dims
from onnx2snn.converter.recognition.regions import WITH_AXES, Region, positions_of, regions
from onnx2snn.ir.findings import Change

Values = NDArray[np.float64]

_MOST_VALUES = 2**22
_LARGEST_EPSILON = 0.1
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class _Norm:
    axis: int
    groups: int
    epsilon: float
    scale: Values
    bias: Values


def recognise_group_normalisation(graph: gs.Graph) -> list[Change]:
    """Writes every GroupNorm and InstanceNorm made of other operators as one node."""
    positions = positions_of(graph)
    names = Names(graph)
    changes = []
    for node in reversed(list(graph.nodes)):
        if node.outputs and node.outputs[0].dtype != np.float32:
            continue
        for region in reversed(list(regions(positions, node, WITH_AXES))):
            norm = _identify(region) if _may_be(region) else None
            if norm is not None:
                changes.append(_write(graph, region, norm, names))
                drop_dead(graph)  # the nodes inside are not looked at again
                break
    return changes[::-1]


def _may_be(region: Region) -> bool:
    means = region.has("ReduceMean", "ReduceSum") and region.has("Sqrt", "Pow", "Reciprocal")
    more = region.has("Reshape", "Add", "Mul", "Sub", "Div")  # than the operator, transposed
    return means or (region.has("InstanceNormalization") and more)


def _identify(region: Region) -> _Norm | None:
    dims = (static_dims(region.x) or [])[1:]
    lengths = [length for length in dims if length is not None]
    if len(lengths) != len(dims) or len(dims) < 2 or 2 * np.prod(lengths) > _MOST_VALUES:
        return None
    rng = np.random.default_rng(0)
    # Every entry has its own level and spread, so that no two groupings give the same.
    spread = np.exp(rng.normal(0.0, 0.5, (1, *lengths)))
    x = rng.normal(0.3, 1.0, (2, *lengths)) * spread + rng.normal(0.0, 1.0, (1, *lengths))
    try:
        result = region.evaluate(x)
    except ValueError:  # a Reshape that keeps a batch of its own
        return None
    if result is None or result.shape != x.shape:
        return None
    for axis in (1, x.ndim - 1):
        wanted, found = np.moveaxis(x, axis, 1), np.moveaxis(result, axis, 1)
        for groups in _groups(region, x.shape[axis]):
            for epsilon in _epsilons(region):
                affine = _fit(_normal(wanted, groups, epsilon), found)
                if affine is not None:
                    return _Norm(axis, groups, epsilon, *affine)
    return None


def _groups(region: Region, channels: int) -> Iterator[int]:
    """The numbers of groups that are worth a trial: numbers in the shapes of the region."""
    found = {channels: None, 1: None}
    for node in region.nodes:
        target = constant_operand(node, 1) if node.op == "Reshape" else None
        if target is not None:
            found.update((int(length), None) for length in target.reshape(-1))
    return (count for count in found if count > 0 and channels % count == 0)


def _epsilons(region: Region) -> list[float]:
    stated = [
        float(node.attrs.get("epsilon", 1e-5))
        for node in region.nodes
        if node.op == "InstanceNormalization"
    ]
    small = [value for value in region.scalars() if 0.0 <= value <= _LARGEST_EPSILON]
    return [*dict.fromkeys([*stated, *small])] or [0.0]


def _normal(x: Values, groups: int, epsilon: float) -> Values:
    """Values [N, C, ...] less the mean of their group, over its deviation."""
    grouped = x.reshape(x.shape[0], groups, -1)
    centred = grouped - grouped.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return np.asarray((centred / np.sqrt(variance + epsilon)).reshape(x.shape))


def _fit(normal: Values, result: Values) -> tuple[Values, Values] | None:
    """Find scale and bias per channel by least squares; they must explain every value."""
    axes = (0, *range(2, normal.ndim))
    centre, level = normal.mean(axis=axes, keepdims=True), result.mean(axis=axes, keepdims=True)
    spread = ((normal - centre) ** 2).sum(axis=axes, keepdims=True)
    if not (spread > 0).all():
        return None
    scale = ((normal - centre) * (result - level)).sum(axis=axes, keepdims=True) / spread
    bias = level - scale * centre
    size = max(float(np.abs(result).max()), 1e-9)
    bias = np.where(np.abs(bias) <= _TOLERANCE * size, 0.0, bias)
    if np.abs(normal * scale + bias - result).max() > _TOLERANCE * size:
        return None
    return scale.reshape(-1), bias.reshape(-1)


def _write(graph: gs.Graph, region: Region, norm: _Norm, names: Names) -> Change:
    node, x = region.last, region.x
    axes = len(x.shape)
    instance = norm.groups == len(norm.scale)
    op = "InstanceNormalization" if instance else "GroupNormalization"
    change = Change(node=node.name, op=node.op, became=op)
    attrs = {} if instance else {"num_groups": norm.groups}
    builder = Builder(graph, node, names)
    affine = (norm.scale.astype(np.float32), norm.bias.astype(np.float32))
    last = norm.axis != 1
    if last:
        x = builder.op("Transpose", x, perm=[0, axes - 1, *range(1, axes - 1)])
    result = builder.op(op, x, *affine, main=True, epsilon=norm.epsilon, **attrs)
    if last:
        result = builder.op("Transpose", result, perm=[0, *range(2, axes), 1])
    builder.replace(result)
    return change

"""Normalisation over the last axis, written with means, becomes the operator it is.

    d = x - ReduceMean(x);  d / Sqrt(ReduceMean(d^2) + eps) * scale + bias
                                        →  LayerNormalization(x, scale, bias), axis = -1
    x / Sqrt(ReduceMean(x^2) + eps) * scale
                                        →  RMSNorm(x, scale)    (onnx2snn.ann)

The square may be Pow or Mul, the root Sqrt, Pow(-1/2) or Reciprocal, the mean a sum over the
length, scale and bias may be missing or multiplied into mean and root first (as TensorFlow and JAX
do): the function is compared, not the writing (``regions``). The node keeps the name of the one
that computed the result.

Refuses: means over other axes or several, scales that are computed, lengths that are not known,
another epsilon than one number found in the graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from onnx2snn.converter.ann_functions import ANN_DOMAIN, RMS_NORM, attach
from onnx2snn.converter.graph.rewiring import Names, drop_dead, static_dims
from onnx2snn.converter.recognition.regions import WITH_MEANS, Region, positions_of, regions
from onnx2snn.ir.findings import Change

Values = NDArray[np.float64]

_LARGEST_EPSILON = 0.1
_SHORTEST = 2
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class _Norm:
    op: str
    epsilon: float
    scale: Values
    bias: Values


def recognise_normalisation(graph: gs.Graph) -> list[Change]:
    """Writes every LayerNorm and RMSNorm made of elementary operators as one node."""
    positions = positions_of(graph)
    names = Names(graph)
    changes = []
    for node in reversed(list(graph.nodes)):
        if node.outputs and node.outputs[0].dtype != np.float32:
            continue
        found = _largest(list(regions(positions, node, WITH_MEANS)))
        if found is not None:
            changes.append(_write(graph, *found, names))
            drop_dead(graph)  # the nodes inside are not looked at again
    return changes[::-1]


def _largest(candidates: list[Region]) -> tuple[Region, _Norm] | None:
    """The largest region that is one: LayerNorm is RMSNorm of what is centred already."""
    for region in reversed(candidates):
        norm = _identify(region) if region.has("ReduceMean", "ReduceSum") else None
        if norm is not None:
            return region, norm
    return None


def _identify(region: Region) -> _Norm | None:
    dims = static_dims(region.x)
    length = dims[-1] if dims else None
    if dims is None or len(dims) < 2 or length is None or length < _SHORTEST:
        return None
    rng = np.random.default_rng(0)
    rows = rng.normal(0.3, 1.0, (16, length)) * np.logspace(-3, 1, 16)[:, None]
    x = rows.reshape(16, *[1] * (len(dims) - 2), length)
    found = region.evaluate(x)
    if found is None or found.shape != x.shape:
        return None
    result = found.reshape(rows.shape)
    small = [value for value in region.scalars() if 0.0 <= value <= _LARGEST_EPSILON]
    for epsilon in small or [0.0]:
        for op, normal in _normals(rows, epsilon):
            norm = _fit(op, epsilon, normal, result)
            if norm is not None:
                return norm
    return None


def _normals(rows: Values, epsilon: float) -> tuple[tuple[str, Values], ...]:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    power = (rows**2).mean(axis=-1, keepdims=True)
    return (
        ("LayerNormalization", centred / np.sqrt(variance + epsilon)),
        ("RMSNorm", rows / np.sqrt(power + epsilon)),
    )


def _fit(op: str, epsilon: float, normal: Values, result: Values) -> _Norm | None:
    """Find scale and bias by least squares; they must explain every row."""
    centre, level = normal.mean(axis=0), result.mean(axis=0)
    spread = ((normal - centre) ** 2).sum(axis=0)
    scale = ((normal - centre) * (result - level)).sum(axis=0) / spread
    bias = level - scale * centre
    size = max(float(np.abs(result).max()), 1e-9)
    bias = np.where(np.abs(bias) <= _TOLERANCE * size, 0.0, bias)
    if np.abs(normal * scale + bias - result).max() > _TOLERANCE * size:
        return None
    if op == "RMSNorm" and bias.any():
        return None
    return _Norm(op, epsilon, scale, bias)


def _write(graph: gs.Graph, region: Region, norm: _Norm, names: Names) -> Change:
    node = region.last
    change = Change(node=node.name, op=node.op, became=norm.op)
    node.op = norm.op
    node.attrs.clear()
    node.attrs["epsilon"] = norm.epsilon
    scale = gs.Constant(names.fresh(f"{node.name}.scale"), norm.scale.astype(np.float32))
    node.inputs = [region.x, scale]
    if norm.op == "RMSNorm":
        node.domain = ANN_DOMAIN
        attach(graph, RMS_NORM)
        return change
    node.attrs["axis"] = -1
    if norm.bias.any():
        bias = gs.Constant(names.fresh(f"{node.name}.bias"), norm.bias.astype(np.float32))
        node.inputs.append(bias)
    return change

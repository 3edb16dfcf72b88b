"""What every layer of neurons should have been: the ANN's own activations, where they are found."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import MembraneMaxPool
from onnx2snn.ir.types import Array
from onnx2snn.runtime.diagnose.corrected import Part
from onnx2snn.runtime.outcomes.activity import correlation

ON_GRID = 1e-3
"""Distance from a step, in steps, up to which a value counts as lying on it."""
LEAST_CORRELATION = 0.5
"""Values of one layer in two networks correlate more; those of two layers, or axes, do not."""
BEYOND = 1e-5
"""Share of a bound by which a value must exceed it to count as beyond it."""


def ann_tensors(model: SpikingModel, ann: onnx.ModelProto) -> dict[str, str]:
    """Return the ANN's tensor for each layer of neurons that has one, by layer name.

    A neuron bears the name of the activation it replaced; behind a pool that was moved in front of
    it, it computes what the pool did in the ANN.
    """
    made = {node.name: node.output[0] for node in ann.graph.node if node.name}
    producers = {name: node for node in model.plain.graph.node for name in node.output}
    found = {}
    for layer in model.neurons:
        source, named = producers.get(layer.input), layer.name
        while source is not None and source.op_type == MembraneMaxPool.name:
            named = source.name if named == layer.name else named
            source = producers.get(source.input[0])
        if layer.name in made and named in made:
            found[layer.name] = made[named]
    return found


def layout_of(values: Array, found: NDArray[np.generic]) -> tuple[int, ...] | None:
    """Return the order of axes in which a tensor of the ANN is what a layer computes.

    Conversion takes transposes out, so a layer may work on [N, C, H, W] where the ANN has
    [N, H, W, C]. The order is told by the values; None if none fits.

    Args:
        values: of the layer, without its errors.
        found: the ANN's tensor on the same samples.
    """
    if found.ndim != values.ndim or found.dtype.kind != "f":
        return None
    best, order = LEAST_CORRELATION, None
    for last in permutations(range(1, found.ndim)):
        axes = (0, *last)
        if found.transpose(axes).shape != values.shape:
            continue
        same = correlation(values, found.transpose(axes))
        if same is None:  # constant: nothing tells the order, so the axes stay as they are
            same = 1.0 if order is None and axes == tuple(range(found.ndim)) else 0.0
        if same > best:
            best, order = same, axes
    return order


def with_outputs(ann: onnx.ModelProto, tensors: list[str]) -> onnx.ModelProto:
    """Return the ANN with some of its tensors as further outputs."""
    extended = onnx.ModelProto()
    extended.CopyFrom(ann)
    known = {output.name for output in ann.graph.output}
    extended.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in dict.fromkeys(tensors) if name not in known
    )
    return extended


@dataclass(frozen=True)
class Bounds:
    """How a layer's grid relates to the values it should have.

    Attributes:
        free: where the values go beyond the bounds of the count, so that a clipped count is an
            error; bool, in the shape of the quantum.
        on_grid: whether all values lie on the counts: the activation has the neuron's own steps.
    """

    free: NDArray[np.bool_]
    on_grid: bool

    def __or__(self, other: Bounds) -> Bounds:
        """Join what was seen on two chunks of samples."""
        return Bounds(np.asarray(self.free | other.free), self.on_grid and other.on_grid)


def bounds_of(part: Part, values: Array, gain: int) -> Bounds:
    """Compare values [N, *F] with the grid of a layer."""
    quantum = np.asarray(part.quantum, np.float64)
    counts = np.asarray(values, np.float64) * gain / quantum
    beyond = counts > part.high * (1 + BEYOND) + BEYOND
    if part.low < 0:
        beyond |= counts < part.low * (1 + BEYOND) - BEYOND
    distance = np.abs(counts - np.rint(counts))
    return Bounds(_reduced(beyond, quantum.shape), bool((distance <= ON_GRID).all()))


def everywhere(part: Part, *, free: bool) -> Bounds:
    """Return bounds that are free (or not) for all neurons, on no grid."""
    return Bounds(np.full(np.asarray(part.quantum).shape, free), on_grid=False)


def _reduced(beyond: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return where any neuron is beyond, in a shape that broadcasts to the layer."""
    aligned = (1,) * (beyond.ndim - len(shape)) + shape
    axes = tuple(axis for axis, size in enumerate(aligned) if size == 1)
    return np.asarray(beyond.any(axis=axes, keepdims=True).reshape(shape))

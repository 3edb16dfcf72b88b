"""The inputs of fused layers: where their current comes from, and what they are told beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.runtime.engine.int8 import whole_weights
from onnx2snn.runtime.engine.stream import ENGINE, Link, Term

if TYPE_CHECKING:
    from onnx2snn.runtime.engine.lowering import Lowering

FEWEST_CHANNELS = 8
"""A layer of fewer channels leaves most lanes empty: neurons on a held current do without one."""


def sources(
    lowering: Lowering,
    stream: str,
    sums: tuple[Term, ...] | None,
    held: str | None,
    quantum: NDArray[np.float32],
) -> list[str]:
    """Return the scale and the sources of a layer with neurons.

    Args:
        lowering: the walk that the layer is part of.
        stream: what the neurons emit.
        sums: the terms of their current; None if it is held.
        held: the current [N, C, *S] that is the same at every stimulus step, if there are no terms.
        quantum: one for each channel of the neurons.
    """
    scale = lowering.add_constant("no_scale", np.zeros(0, np.float32))
    if sums is None:
        numbers = [Link.HELD, 0, len(quantum), 1, *[1] * 6, *[0] * 4, 1, 1]
        geometry = lowering.add_constant(f"{stream}/geometry", np.array(numbers, np.int64))
        return [scale, held or "", scale, geometry, _no_marks(lowering)]
    if lowering.int8:
        sums, scales = whole_weights(sums)
        if scales is not None:
            scale = lowering.add_constant(f"{stream}/scale", scales)
    return [scale, *_terms(lowering, stream, sums)]


def currents(lowering: Lowering, name: str, sums: tuple[Term, ...]) -> onnx.NodeProto:
    """Return the node that gives a sum of terms as an ordinary tensor."""
    zero = lowering.add_constant("zero", np.zeros((), np.float32))
    one = lowering.add_constant("one", np.ones((), np.int64))
    scale = lowering.add_constant("no_scale", np.zeros(0, np.float32))
    inputs = [zero] * 5 + [one] * 2 + [zero] * 2 + [scale, *_terms(lowering, name, sums)]
    return helper.make_node("Currents", inputs, [name], domain=ENGINE, **options(lowering))


def options(lowering: Lowering) -> dict[str, Any]:
    """Return the attributes that say how a layer runs, not what it computes."""
    told: dict[str, Any] = {"threads": lowering.threads, "tiles": int(lowering.tiles)}
    return told if lowering.dense_above is None else told | {"dense_above": lowering.dense_above}


def _terms(lowering: Lowering, stream: str, sums: tuple[Term, ...]) -> list[str]:
    inputs = []
    for i, term in enumerate(sums):
        weights = lowering.add_constant(f"{stream}/weights_{i}", term.weights)
        geometry = lowering.add_constant(f"{stream}/geometry_{i}", term.geometry)
        marks = term.emissions.active or _no_marks(lowering)
        inputs += [term.emissions.tensor, weights, geometry, marks]
    return inputs


def _no_marks(lowering: Lowering) -> str:
    return lowering.add_constant("no_marks", np.zeros(0, np.int8))

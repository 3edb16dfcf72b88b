"""Weights of fused layers as whole numbers of one byte.

The weights of all synapses of a layer share one scale for each output channel o:

    w_o = max |W q| / 127 over the weights of o,    K = round(W q / w_o) in -127..127

W are the weights and q the quantum of the input channel a weight reads, so what is rounded is the
current of one emission of 1; an input channel of large quanta keeps its weight among the others.
The engine sums K * emission in whole numbers and multiplies by w_o once, in front of the neuron.
Residual currents (weight 1) are added behind that, as they are. A full layer on a constant input
has a scale of its own and no quantum (``held_product.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnx2snn.runtime.engine.stream import Link, Term

LARGEST = 127
"""Largest whole number: symmetric, so -128 is not used."""


def whole_weights(
    sums: tuple[Term, ...],
) -> tuple[tuple[Term, ...], NDArray[np.float32] | None]:
    """Return the terms of a layer with whole weights, and the scale [outputs].

    Without a term that has weights the terms come back as they are, and no scale.
    """
    weighted = [term for term in sums if term.link is not Link.IDENTITY]
    if not weighted:
        return sums, None
    scale = scale_of([term.weights for term in weighted])
    return tuple(
        term if term.link is Link.IDENTITY else _rounded(term, scale) for term in sums
    ), scale


def scale_of(weights: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the scale w_o [outputs] of weights [outputs, ...] that are summed."""
    peaks = [np.abs(part).reshape(len(part), -1).max(axis=1) for part in weights]
    scale = np.asarray(np.max(peaks, axis=0) / np.float32(LARGEST), dtype=np.float32)
    scale[scale < np.finfo(np.float32).tiny] = 1.0  # all weights are 0, or as good as
    return scale


def rounded(weights: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the whole numbers K [outputs, ...] of weights, as floats."""
    by_output = scale.reshape(-1, *[1] * (weights.ndim - 1))
    whole = np.clip(np.rint(weights / by_output), -LARGEST, LARGEST)
    return np.asarray(whole, dtype=np.float32)


def _rounded(term: Term, scale: NDArray[np.float32]) -> Term:
    return replace(term, given=rounded(term.weights, scale), scale=np.ones(1, np.float32))

"""Flows: how each element of a tensor is made of the outputs of parts.

    tensor[e] = sum over terms of  factor[e] * output of the term's part [index[e] - 1]

An index of 0 stands for silence. Reshapes, slices, transpositions, paddings and concatenations
change indices only; scalings change factors only; additions put terms side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.exporters.unit_network import Sizes, Weights

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Term:
    """What one part contributes to a tensor.

    Attributes:
        part: name of the part.
        index: [1, *F], counted from 1 in the part's flattened output; 0 is silence.
        factor: broadcasts to [1, *F].
        exclusive: whether nothing else reads the part, so that factors may move into its weights.
    """

    part: str
    index: Index
    factor: Weights
    exclusive: bool = True

    def scaled(self, factor: Weights | float) -> Term:
        """Return the term times a constant."""
        return replace(self, factor=np.asarray(self.factor * factor))

    def full_factor(self) -> Weights:
        """Return the factor of every element, flat."""
        return np.broadcast_to(self.factor, self.index.shape).reshape(-1)


Flow = tuple[Term, ...]


def whole(part: str, shape: Sizes, exclusive: bool = True) -> Term:
    """Return the term of a tensor that is the output of a part."""
    index = np.arange(1, int(np.prod(shape)) + 1, dtype=np.int64).reshape(1, *shape)
    return Term(part, index, np.ones((), np.float64), exclusive)


def merged(flow: Flow) -> Flow:
    """Return the flow with terms of the same part and index added up."""
    kept: list[Term] = []
    for term in flow:
        for position, other in enumerate(kept):
            if other.part == term.part and np.array_equal(other.index, term.index):
                total = replace(other, factor=np.asarray(other.factor + term.factor))
                kept[position] = total
                break
        else:
            kept.append(term)
    return tuple(kept)


def is_in_order(term: Term, size: int) -> bool:
    """Whether a tensor holds all elements of its part in their order, whatever its shape."""
    return term.index.size == size and bool(
        np.array_equal(term.index.reshape(-1), np.arange(1, size + 1))
    )


@dataclass(frozen=True)
class Selection:
    """A tensor that is some channels of a part, every s-th row and column of them.

    Attributes:
        channels: the part's channel per channel of the tensor; -1 is silence.
        stride: s per spatial axis.
    """

    channels: NDArray[np.int64]
    stride: Sizes

    @property
    def is_dense(self) -> bool:
        """Whether all rows and columns are there."""
        return all(step == 1 for step in self.stride)


def selection(term: Term, shape: Sizes) -> Selection | None:
    """Return how a tensor selects from a part of that shape; None if it does more than that."""
    if term.index.ndim != len(shape) + 1:
        return None
    inner = int(np.prod(shape[1:]))
    rows = term.index.reshape(term.index.shape[1], -1)
    silent = (rows == 0).all(axis=1)
    heard = rows[~silent] - 1
    if (heard < 0).any():
        return None
    stride = tuple(-(-old // new) for old, new in zip(shape[1:], term.index.shape[2:], strict=True))
    axes = [np.arange(n) * s for n, s in zip(term.index.shape[2:], stride, strict=True)]
    if any(axis.size and axis[-1] >= old for axis, old in zip(axes, shape[1:], strict=True)):
        return None
    grid = np.zeros((), np.int64)
    for axis, old in zip(axes, shape[1:], strict=True):
        grid = grid[..., None] * old + axis
    if len(heard) and not np.array_equal(
        heard % inner, np.broadcast_to(grid.reshape(-1), heard.shape)
    ):
        return None
    channels = np.full(len(rows), -1, np.int64)
    channels[~silent] = heard[:, 0] // inner
    if len(heard) and not (heard // inner == channels[~silent][:, None]).all():
        return None
    return Selection(channels, stride)


def per_channel(factor: Weights, rank: int, channels: int) -> Weights | None:
    """Return a factor as [C]; None if it changes with the position."""
    full = factor.reshape([1] * (rank - factor.ndim) + list(factor.shape))
    for axis in range(2, rank):
        first = np.take(full, [0], axis=axis)
        if not np.array_equal(np.broadcast_to(first, full.shape), full):
            return None
        full = first
    return np.broadcast_to(full.reshape(full.shape[:2])[0], channels).astype(np.float64)

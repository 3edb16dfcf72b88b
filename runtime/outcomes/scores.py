"""How close two networks' outputs are: sums that add up over chunks of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.errors import SimulationError

Outputs = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Score:
    """Comparison of outputs with those of another network, summed over samples.

    Attributes:
        samples: number of samples.
        correct: correct top-1 answers; None without labels or classes.
        agreeing: samples with the other network's top-1; None without classes.
        error: sum of squared differences over all float outputs.
        norm: sum of squares of the other's outputs.
        cosine: sum of cosine similarities.
    """

    samples: int
    correct: int | None
    agreeing: int | None
    error: float
    norm: float
    cosine: float

    def __add__(self, other: Score) -> Score:
        return Score(
            samples=self.samples + other.samples,
            correct=_sum(self.correct, other.correct),
            agreeing=_sum(self.agreeing, other.agreeing),
            error=self.error + other.error,
            norm=self.norm + other.norm,
            cosine=self.cosine + other.cosine,
        )

    @property
    def accuracy(self) -> float | None:
        """Return the share of correct answers."""
        return None if self.correct is None else self.correct / self.samples

    @property
    def agreement(self) -> float | None:
        """Return the share of samples with the same top-1."""
        return None if self.agreeing is None else self.agreeing / self.samples

    @property
    def relative_error(self) -> float:
        """Return ||outputs - other|| / ||other||; the absolute error if the other is all zero."""
        return float(np.sqrt(self.error / self.norm) if self.norm > 0 else np.sqrt(self.error))

    @property
    def mean_cosine(self) -> float:
        """Return the mean cosine similarity."""
        return self.cosine / self.samples


def compare(
    outputs: Outputs, reference: Outputs, labels: NDArray[np.generic] | None = None
) -> Score:
    """Compare one chunk of outputs with the reference's.

    Outputs that are no numbers, or whose shape depends on the data and came out differently (say,
    the boxes that a detector selects), are left out.

    Args:
        outputs: by name, [N, ...].
        reference: as ``outputs``.
        labels: class numbers [N], if known.
    """
    names = [name for name in outputs if _comparable(outputs[name], reference[name])]
    outputs = {name: outputs[name] for name in names}
    reference = {name: reference[name] for name in names}
    answers, expected = top1(outputs), top1(reference)
    ours, theirs = _flat(outputs), _flat(reference)
    product = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    same = np.all(ours == theirs, axis=1)
    safe = np.where(product > 0, product, 1.0)
    cosine = np.where(product > 0, (ours * theirs).sum(1) / safe, same.astype(float))
    return Score(
        samples=len(ours),
        correct=None if labels is None or answers is None else int(np.sum(answers == labels)),
        agreeing=None if answers is None else int(np.sum(answers == expected)),
        error=float(np.square(ours - theirs).sum()),
        norm=float(np.square(theirs).sum()),
        cosine=float(cosine.sum()),
    )


def _comparable(left: NDArray[np.generic], right: NDArray[np.generic]) -> bool:
    return left.dtype.kind in "fiub" and left.ndim > 0 and left.shape == right.shape


def top1(outputs: Outputs) -> NDArray[np.int64] | None:
    """Return the class of every sample; None if no output classifies.

    The first float output of shape [N, K], K > 1, classifies by its maximum; without one, an
    integer output of shape [N] holds the classes themselves.
    """
    for value in outputs.values():
        if value.dtype.kind == "f" and value.ndim == 2 and value.shape[1] > 1:
            return np.asarray(np.argmax(value, axis=1), dtype=np.int64)
    for value in outputs.values():
        if value.dtype.kind in "iu" and value.size == len(value):
            return value.reshape(-1).astype(np.int64)
    return None


def _flat(outputs: Outputs) -> NDArray[np.float64]:
    """Return all float outputs side by side, float64 [N, M]; all outputs if none is float."""
    values = list(outputs.values())
    kept = [value for value in values if value.dtype.kind == "f"] or values
    if not kept:
        raise SimulationError(
            "the network has no output that could be compared",
            remedy="compare the outputs yourself, with 'simulate'",
        )
    return np.concatenate([v.reshape(len(v), -1).astype(np.float64) for v in kept], axis=1)


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right

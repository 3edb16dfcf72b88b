"""Early exit: a sample leaves as soon as its outputs are clear enough.

A confidence is computed from the outputs after every few timesteps; a sample whose confidence
reaches the threshold is finished. The threshold is tuned on calibration data, never on test data:
it is the lowest one for which the answers that change, against running all T timesteps, stay within
a bound on data of the same kind (:func:`tune_early_exit`).

* ``margin``: the highest output minus the second highest, in the units of the outputs.
* ``entropy``: 1 - H(p) / log K, with p the outputs themselves if they are probabilities, else their
  softmax; H is Shannon's entropy, K the number of classes.

Sources: DT-SNN (Li, Moitra, Geller, Panda, DAC 2023): entropy; SEENN-I (Li, Geller, Kim, Panda,
NeurIPS 2023) and Dynamic Confidence (Li, Jones, Furber, ICCV 2023): confidence of the accumulated
outputs; the bound: conformal risk control (Angelopoulos, Bates, Fisch, Lei, Schuster, ICLR 2024,
theorem 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.outcomes.scores import top1

Confidence = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From outputs [N, K] to confidences [N]."""


def margin(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of the two highest scores."""
    highest = np.partition(scores, -2, axis=1)[:, -2:]
    return np.asarray(highest[:, 1] - highest[:, 0])


def entropy(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 minus the entropy of the scores, in shares of the highest possible."""
    softmax = np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax = softmax / softmax.sum(axis=1, keepdims=True)
    given = (scores >= 0).all(axis=1) & np.isclose(scores.sum(axis=1), 1, atol=1e-4)
    shares = np.where(given[:, None], scores, softmax)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return np.asarray(1.0 + (shares * logs).sum(axis=1) / math.log(scores.shape[1]))


RULES: dict[str, Confidence] = {"margin": margin, "entropy": entropy}


@dataclass(frozen=True)
class EarlyExit:
    """When a sample is finished.

    Attributes:
        rule: ``margin`` or ``entropy``.
        threshold: the least confidence of a finished sample.
        every: timesteps from one look at the outputs to the next.
        calibration: samples the threshold was tuned on; 0 if it was given.
        max_loss: the bound it was tuned for; None if it was given.
    """

    rule: str
    threshold: float
    every: int = 1
    calibration: int = 0
    max_loss: float | None = None

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise SimulationError(
                f"there is no rule '{self.rule}' of early exit",
                remedy=f"choose one of: {', '.join(RULES)}",
            )
        if self.every < 1:
            raise SimulationError(
                f"outputs cannot be looked at every {self.every} timesteps",
                remedy="ask for at least 1",
            )

    def leaving(self, outputs: Tensors) -> NDArray[np.bool_]:
        """Say which samples are finished, [N]."""
        return np.asarray(confidence(self.rule, outputs) >= self.threshold)


def confidence(rule: str, outputs: Tensors) -> NDArray[np.float64]:
    """Return the confidence of every sample, [N].

    Raises:
        SimulationError: the network does not classify.
    """
    return RULES[rule](class_scores(outputs))


def class_scores(outputs: Tensors) -> NDArray[np.float64]:
    """Return the outputs that classify: the first float output of shape [N, K], K > 1.

    Raises:
        SimulationError: there is none.
    """
    for value in outputs.values():
        if value.dtype.kind == "f" and value.ndim == 2 and value.shape[1] > 1:
            return value.astype(np.float64)
    raise SimulationError(
        "the network has no float output [N, K] with K > 1: it does not classify by scores",
        remedy="run it without early exit",
    )


def lowest_threshold(
    confidences: NDArray[np.float64], answers: NDArray[np.int64], max_loss: float
) -> float:
    """Return the lowest threshold that keeps the expected share of changed answers in a bound.

    With R changed of n calibration samples at this and at every higher threshold,
    (R + 1) / (n + 1) <= max_loss bounds the expected share on exchangeable data (conformal risk
    control).

    Args:
        confidences: at every look, [L, N]; the last look is the end of the run.
        answers: top-1 at every look, [L, N].
        max_loss: the bound, in (0, 1).

    Raises:
        SimulationError: there are too few samples for the bound.
    """
    samples = confidences.shape[1]
    allowed = math.floor(max_loss * (samples + 1) - 1 + 1e-9)
    if allowed < 0:
        raise SimulationError(
            f"{samples} calibration samples cannot show a loss of at most {max_loss:.3%}",
            remedy=f"hand in at least {math.ceil(1 / max_loss) - 1} samples, or allow more loss",
        )
    # Look k ends the run of a sample for thresholds in (highest confidence before k, that of k].
    before = np.maximum.accumulate(confidences, axis=0)[:-2]
    before = np.concatenate([np.full((1, samples), -np.inf), before])
    early = confidences[:-1]
    wrong = (answers[:-1] != answers[-1]) & (early > before)
    ends = np.concatenate([early[wrong], before[wrong]])
    steps = np.concatenate([np.ones(wrong.sum()), -np.ones(wrong.sum())])
    order = np.lexsort((steps, -ends))  # downwards; at one threshold intervals end, then begin
    changed = np.cumsum(steps[order])
    over = np.flatnonzero(changed > allowed)
    if len(over):
        return float(np.nextafter(ends[order][over[0]], np.inf))
    return float(early.min()) if early.size else math.inf


def answers_of(outputs: Tensors) -> NDArray[np.int64]:
    """Return the top-1 of every sample, [N]; see :func:`class_scores` for the errors."""
    class_scores(outputs)
    found = top1(outputs)
    return np.zeros(0, np.int64) if found is None else found

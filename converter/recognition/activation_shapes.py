"""The functions that composite activations may turn out to be, with their free parameters.

Each candidate reads its parameters off a few values of the unknown function f, and is then
compared with f on all of ``POINTS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.ann_functions import ANN_DOMAIN

Values = NDArray[np.float64]
Function = Callable[[Values], Values]

POINTS: Values = np.concatenate(
    [np.linspace(-20.03, 20.07, 161), np.linspace(-4.011, 4.017, 161), [-1e-3, 0.0, 1e-3]]
)
TOLERANCE = 3e-6
FAR = 1e9
LEAST_THRESHOLD = 0.01
"""A smaller threshold lies between two points: it cannot be told from none."""


@dataclass(frozen=True)
class Shape:
    """An operator with its attributes, and the function it computes."""

    op: str
    function: Function
    attributes: dict[str, object] = field(default_factory=dict)
    domain: str = ""

    def fits(self, values: Values) -> bool:
        """Whether the function has these values on ``POINTS``."""
        return _equal(values, self.function(POINTS))

    def fits_at(self, f: Function, points: Values) -> bool:
        """Whether the function is f on other points."""
        return _equal(f(points), self.function(points))


def _equal(values: Values, wanted: Values) -> bool:
    return bool((np.abs(values - wanted) <= TOLERANCE * np.maximum(1, np.abs(wanted))).all())


def shapes_for(f: Function, constants: tuple[float, ...]) -> Iterator[Shape]:
    """Yield the candidates for f, a function of one variable.

    Args:
        f: the unknown function.
        constants: numbers in it, where a threshold cannot be read off values.
    """
    yield from _gated(f)
    yield from _squashing(f)
    yield Shape("Softplus", lambda x: np.logaddexp(x, 0.0))
    yield from _falling(f)
    yield from _capped(f)
    yield Shape("Relu", lambda x: np.maximum(x, 0.0))
    for alpha in (value for value in constants if abs(value) >= LEAST_THRESHOLD):
        yield Shape("ThresholdedRelu", _thresholded(alpha), {"alpha": alpha})


def _gated(f: Function) -> Iterator[Shape]:
    at_one = _at(f, 1.0)
    if 0.5 < at_one < 1.0:
        alpha = _tidy(math.log(at_one / (1.0 - at_one)))
        yield Shape("Silu", lambda x: x * _sigmoid(alpha * x), {"alpha": alpha}, ANN_DOMAIN)
    yield Shape("HardSwish", lambda x: x * np.clip(x / 6.0 + 0.5, 0.0, 1.0))
    yield Shape("Gelu", _gelu)
    yield Shape("Gelu", _gelu_tanh, {"approximate": "tanh"})
    yield Shape("Mish", lambda x: x * np.tanh(np.logaddexp(x, 0.0)))


def _squashing(f: Function) -> Iterator[Shape]:
    yield Shape("Sigmoid", _sigmoid)
    yield Shape("Tanh", np.tanh)
    yield Shape("Softsign", lambda x: x / (1.0 + np.abs(x)))
    beta = _tidy(_at(f, 0.0))
    alpha = _tidy((_at(f, 1e-3) - _at(f, -1e-3)) / 2e-3)
    if 0.0 < beta < 1.0 and alpha > 0.0 and alpha != 1.0:
        attributes: dict[str, object] = {"alpha": alpha, "beta": beta}
        yield Shape("HardSigmoid", lambda x: np.clip(alpha * x + beta, 0.0, 1.0), attributes)


def _falling(f: Function) -> Iterator[Shape]:
    """ELU and its kin: a line above zero, an exponential with a limit below."""
    limit, gamma = _tidy(-_at(f, -500.0)), _tidy(_at(f, 1.0))
    if not limit > 0 or not gamma > 0:
        return
    yield Shape("Elu", _exponential(1.0, limit, 1.0), {"alpha": limit})
    yield Shape("Celu", _exponential(1.0, limit, limit), {"alpha": limit})
    selu: dict[str, object] = {"alpha": limit / gamma, "gamma": gamma}
    yield Shape("Selu", _exponential(gamma, limit, 1.0), selu)


def _capped(f: Function) -> Iterator[Shape]:
    """The leaky line between two caps, one the negative of the other."""
    cap, slope = _tidy(_at(f, FAR)), _tidy(_at(f, -1e-3) / -1e-3)
    if not 0.0 < cap < FAR / 2 or not slope > 0.0 or slope == 1.0:
        return

    def function(x: Values) -> Values:
        return np.clip(np.where(x < 0, slope * x, x), -cap, cap)

    around = POINTS * cap / 10.0 / min(slope, 1.0)  # the caps may lie far outside of POINTS
    if Shape("", function).fits_at(f, around):
        attributes: dict[str, object] = {"alpha": slope, "cap": cap}
        yield Shape("CappedLeakyRelu", function, attributes, ANN_DOMAIN)


def _exponential(gamma: float, alpha: float, width: float) -> Function:
    return lambda x: gamma * np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / width)


def _thresholded(alpha: float) -> Function:
    return lambda x: np.where(x > alpha, x, 0.0)


def _sigmoid(x: Values) -> Values:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def _gelu(x: Values) -> Values:
    return np.asarray(x * 0.5 * (1.0 + np.vectorize(math.erf)(x * math.sqrt(0.5))))


def _gelu_tanh(x: Values) -> Values:
    return np.asarray(x * 0.5 * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3))))


def _at(f: Function, point: float) -> float:
    return float(f(np.array([point]))[0])


def _tidy(value: float) -> float:
    """The number an exporter rounded to float32: 1.702, not 1.70200002."""
    if not math.isfinite(value):
        return value
    short = float(f"{value:.6g}")
    return short if abs(short - value) <= 2e-7 * abs(value) else value

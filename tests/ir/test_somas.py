"""What soma functions claim of themselves: value, monotony, homogeneity; numpy in float32."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onnx2snn.ir.somas import SOMAS, Soma

PARAMETERS = {
    name: np.asarray(value, np.float32)
    for name, value in {
        "slope": 0.25,
        "alpha": 0.75,
        "beta": 0.5,
        "width": 0.5,
        "gamma": 1.25,
        "low": -0.5,
        "high": 2.0,
    }.items()
}
erf = np.vectorize(math.erf)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


FORMULAS = {
    "": lambda z: z,
    "PRelu": lambda z: np.where(z < 0, 0.25 * z, z),
    "Clip": lambda z: np.clip(z, -0.5, 2.0),
    "Silu": lambda z: z * sigmoid(0.75 * z),
    "HardSwish": lambda z: z * np.clip(z / 6 + 0.5, 0, 1),
    "Gelu": lambda z: z * (1 + erf(z / math.sqrt(2))) / 2,
    "GeluTanh": lambda z: z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2,
    "Mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "Sigmoid": sigmoid,
    "HardSigmoid": lambda z: np.clip(0.75 * z + 0.5, 0, 1),
    "Tanh": np.tanh,
    "Softsign": lambda z: z / (1 + abs(z)),
    "Elu": lambda z: np.where(z > 0, 1.25 * z, 0.75 * (np.exp(z / 0.5) - 1)),
    "Softplus": lambda z: np.log1p(np.exp(z)),
    "ThresholdedRelu": lambda z: np.where(z > 0.75, z, 0),
}
POINTS = np.linspace(-12, 12, 4801)

each_soma = pytest.mark.parametrize("soma", SOMAS, ids=lambda soma: soma.name or "linear")


def evaluated(soma: Soma, z: np.ndarray) -> np.ndarray:
    return soma.evaluate(z.astype(np.float32), PARAMETERS)


@each_soma
def test_value(soma: Soma) -> None:
    found = evaluated(soma, POINTS)
    assert found.dtype == np.float32
    expected = FORMULAS[soma.name](POINTS.astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


@each_soma
def test_monotone_is_true(soma: Soma) -> None:
    rises = bool((np.diff(evaluated(soma, POINTS)) >= -1e-6).all())
    assert rises == soma.monotone


@each_soma
def test_homogeneous_is_true(soma: Soma) -> None:
    scaled = 4 * evaluated(soma, POINTS / 4)
    same = bool(np.allclose(scaled, evaluated(soma, POINTS), atol=1e-5))
    assert same == soma.homogeneous


@each_soma
def test_large_values_do_not_overflow(soma: Soma) -> None:
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(evaluated(soma, np.array([-1e4, 1e4]))).all()

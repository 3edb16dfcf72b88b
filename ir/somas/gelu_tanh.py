"""The soma f(z) = z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2.

Source: Hendrycks and Gimpel 2016, the approximation of GELU.
"""

import math

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters

_LINEAR = np.float32(math.sqrt(2.0 / math.pi))
_CUBIC = np.float32(0.044715 * math.sqrt(2.0 / math.pi))


def _evaluate(z: Array, _parameters: Parameters) -> Array:
    half = np.float32(0.5)
    slope = z * z * _CUBIC + _LINEAR
    gate = np.tanh(np.asarray(z * slope, np.float32)) * half + half
    return np.asarray(z * gate, dtype=np.float32)


GELU_TANH = Soma(
    name="GeluTanh",
    parameters=(),
    homogeneous=False,
    monotone=False,
    evaluate=_evaluate,
    nodes=f"""soma_half = Constant <value_float = 0.5> ()
      soma_linear = Constant <value_float = {float(_LINEAR)!r}> ()
      soma_cubic = Constant <value_float = {float(_CUBIC)!r}> ()
      soma_square = Mul (z, z)
      soma_bend = Mul (soma_square, soma_cubic)
      soma_slope = Add (soma_bend, soma_linear)
      soma_inner = Mul (z, soma_slope)
      soma_tanh = Tanh (soma_inner)
      soma_small = Mul (soma_tanh, soma_half)
      soma_gate = Add (soma_small, soma_half)
      z_soma = Mul (z, soma_gate)""",
)

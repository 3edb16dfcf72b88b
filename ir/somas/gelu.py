"""The soma f(z) = z (1 + erf(z / sqrt 2)) / 2.

Source: Hendrycks and Gimpel 2016.
"""

import math

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters

_ROOT_HALF = np.float32(math.sqrt(0.5))
_erf = np.vectorize(math.erf, otypes=[np.float32])


def _evaluate(z: Array, _parameters: Parameters) -> Array:
    half = np.float32(0.5)
    gate = _erf(z * _ROOT_HALF) * half + half if np.size(z) else z
    return np.asarray(z * gate, dtype=np.float32)


GELU = Soma(
    name="Gelu",
    parameters=(),
    homogeneous=False,
    monotone=False,
    evaluate=_evaluate,
    nodes=f"""soma_half = Constant <value_float = 0.5> ()
      soma_root = Constant <value_float = {float(_ROOT_HALF)!r}> ()
      soma_scaled = Mul (z, soma_root)
      soma_erf = Erf (soma_scaled)
      soma_small = Mul (soma_erf, soma_half)
      soma_gate = Add (soma_small, soma_half)
      z_soma = Mul (z, soma_gate)""",
)

"""The soma f(z) = z min(max(z / 6 + 1/2, 0), 1).

Source: Howard et al. 2019 (MobileNetV3).
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters

_SIXTH = np.float32(1.0 / 6.0)


def _evaluate(z: Array, _parameters: Parameters) -> Array:
    gate = np.clip(z * _SIXTH + np.float32(0.5), 0.0, 1.0)
    return np.asarray(z * gate, dtype=np.float32)


HARD_SWISH = Soma(
    name="HardSwish",
    parameters=(),
    homogeneous=False,
    monotone=False,
    evaluate=_evaluate,
    nodes=f"""soma_zero = Constant <value_float = 0.0> ()
      soma_one = Constant <value_float = 1.0> ()
      soma_half = Constant <value_float = 0.5> ()
      soma_sixth = Constant <value_float = {float(_SIXTH)!r}> ()
      soma_scaled = Mul (z, soma_sixth)
      soma_shifted = Add (soma_scaled, soma_half)
      soma_gate = Clip (soma_shifted, soma_zero, soma_one)
      z_soma = Mul (z, soma_gate)""",
)

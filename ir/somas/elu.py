"""The soma f(z) = gamma max(z, 0) + alpha (exp(min(z, 0) / width) - 1): ELU, SELU and CELU.

ELU has gamma = width = 1; CELU has width = alpha; SELU has alpha and gamma of its own, with its
alpha times gamma for ours.
Source: Clevert et al. 2016; Klambauer et al. 2017; Barron 2017.
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters


def _evaluate(z: Array, parameters: Parameters) -> Array:
    alpha, width, gamma = (
        np.asarray(parameters[name], dtype=np.float32) for name in ("alpha", "width", "gamma")
    )
    falling = np.exp(np.asarray(np.minimum(z, 0) / width, np.float32)) - np.float32(1)
    return np.asarray(np.maximum(z, 0) * gamma + falling * alpha, dtype=np.float32)


ELU = Soma(
    name="Elu",
    parameters=("alpha", "width", "gamma"),
    homogeneous=False,
    monotone=True,
    evaluate=_evaluate,
    nodes="""soma_zero = Constant <value_float = 0.0> ()
      soma_one = Constant <value_float = 1.0> ()
      soma_above = Max (z, soma_zero)
      soma_below = Min (z, soma_zero)
      soma_narrow = Div (soma_below, width_row)
      soma_power = Exp (soma_narrow)
      soma_fall = Sub (soma_power, soma_one)
      soma_rising = Mul (soma_above, gamma_row)
      soma_falling = Mul (soma_fall, alpha_row)
      z_soma = Add (soma_rising, soma_falling)""",
)

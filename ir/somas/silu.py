"""The soma f(z) = z sigmoid(alpha z): SiLU (Swish) for alpha = 1, QuickGELU for alpha = 1.702.

Source: Elfwing et al. 2018; Ramachandran et al. 2017; Hendrycks and Gimpel 2016, sec. 2 (1.702).
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters


def _evaluate(z: Array, parameters: Parameters) -> Array:
    alpha = np.asarray(parameters["alpha"], dtype=np.float32)
    gate = np.tanh(np.asarray(z * alpha, np.float32) * np.float32(0.5))
    return np.asarray(z * (gate * np.float32(0.5) + np.float32(0.5)), dtype=np.float32)


SILU = Soma(
    name="Silu",
    parameters=("alpha",),
    homogeneous=False,
    monotone=False,
    evaluate=_evaluate,
    nodes="""soma_half = Constant <value_float = 0.5> ()
      soma_scaled = Mul (z, alpha_row)
      soma_halved = Mul (soma_scaled, soma_half)
      soma_tanh = Tanh (soma_halved)
      soma_small = Mul (soma_tanh, soma_half)
      soma_gate = Add (soma_small, soma_half)
      z_soma = Mul (z, soma_gate)""",
)

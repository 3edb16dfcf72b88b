"""The soma f(z) = min(max(alpha z + beta, 0), 1).

f(0) = beta: the neuron emits that value at the first timestep, input or not.
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters


def _evaluate(z: Array, parameters: Parameters) -> Array:
    alpha = np.asarray(parameters["alpha"], dtype=np.float32)
    beta = np.asarray(parameters["beta"], dtype=np.float32)
    return np.asarray(np.clip(z * alpha + beta, 0.0, 1.0), dtype=np.float32)


HARD_SIGMOID = Soma(
    name="HardSigmoid",
    parameters=("alpha", "beta"),
    homogeneous=False,
    monotone=True,
    evaluate=_evaluate,
    nodes="""soma_zero = Constant <value_float = 0.0> ()
      soma_one = Constant <value_float = 1.0> ()
      soma_scaled = Mul (z, alpha_row)
      soma_shifted = Add (soma_scaled, beta_row)
      z_soma = Clip (soma_shifted, soma_zero, soma_one)""",
)

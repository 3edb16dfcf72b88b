"""The soma f(z) = 1 / (1 + exp(-z)), computed as 1/2 + tanh(z / 2) / 2, which cannot overflow.

f(0) = 1/2: the neuron emits that value at the first timestep, input or not.
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters


def _evaluate(z: Array, _parameters: Parameters) -> Array:
    half = np.float32(0.5)
    return np.asarray(np.tanh(z * half) * half + half, dtype=np.float32)


SIGMOID = Soma(
    name="Sigmoid",
    parameters=(),
    homogeneous=False,
    monotone=True,
    evaluate=_evaluate,
    nodes="""soma_half = Constant <value_float = 0.5> ()
      soma_halved = Mul (z, soma_half)
      soma_tanh = Tanh (soma_halved)
      soma_small = Mul (soma_tanh, soma_half)
      z_soma = Add (soma_small, soma_half)""",
)

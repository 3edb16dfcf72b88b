"""The soma f(z) = z tanh(log(1 + exp(z))).

Source: Misra 2019.
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.somas.softplus import SOFTPLUS_NODES, softplus
from onnx2snn.ir.types import Array, Parameters


def _evaluate(z: Array, _parameters: Parameters) -> Array:
    z = np.asarray(z, np.float32)
    return np.asarray(z * np.tanh(softplus(z)), dtype=np.float32)


MISH = Soma(
    name="Mish",
    parameters=(),
    homogeneous=False,
    monotone=False,
    evaluate=_evaluate,
    nodes=SOFTPLUS_NODES
    + """      soma_gate = Tanh (soma_plus)
      z_soma = Mul (z, soma_gate)""",
)

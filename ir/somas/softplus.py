"""The soma f(z) = log(1 + exp(z)), computed as max(z, 0) + log(1 + exp(-|z|)): no overflow.

f(0) = log 2: the neuron emits that value at the first timestep, input or not.
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters


def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)) in float32."""
    small = np.log(np.exp(-np.abs(z)) + np.float32(1))
    return np.asarray(np.maximum(z, 0) + small, dtype=np.float32)


SOFTPLUS_NODES = """soma_zero = Constant <value_float = 0.0> ()
      soma_one = Constant <value_float = 1.0> ()
      soma_size = Abs (z)
      soma_minus = Neg (soma_size)
      soma_power = Exp (soma_minus)
      soma_sum = Add (soma_power, soma_one)
      soma_log = Log (soma_sum)
      soma_above = Max (z, soma_zero)
      soma_plus = Add (soma_above, soma_log)
"""
"""ONNX text of ``softplus`` from ``z`` to ``soma_plus``."""


def _evaluate(z: Array, _parameters: Parameters) -> Array:
    return softplus(np.asarray(z, np.float32))


SOFTPLUS = Soma(
    name="Softplus",
    parameters=(),
    homogeneous=False,
    monotone=True,
    evaluate=_evaluate,
    nodes=SOFTPLUS_NODES + "      z_soma = Identity (soma_plus)",
)

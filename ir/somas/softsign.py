"""The soma f(z) = z / (1 + |z|)."""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters


def _evaluate(z: Array, _parameters: Parameters) -> Array:
    return np.asarray(z / (np.abs(z) + np.float32(1)), dtype=np.float32)


SOFTSIGN = Soma(
    name="Softsign",
    parameters=(),
    homogeneous=False,
    monotone=True,
    evaluate=_evaluate,
    nodes="""soma_one = Constant <value_float = 1.0> ()
      soma_size = Abs (z)
      soma_below = Add (soma_size, soma_one)
      z_soma = Div (z, soma_below)""",
)

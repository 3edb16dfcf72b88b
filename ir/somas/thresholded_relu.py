"""The soma f(z) = z if z > alpha, else 0.

Source: Konda et al. 2014.
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters


def _evaluate(z: Array, parameters: Parameters) -> Array:
    alpha = np.asarray(parameters["alpha"], dtype=np.float32)
    return np.where(z > alpha, z, np.float32(0)).astype(np.float32)


THRESHOLDED_RELU = Soma(
    name="ThresholdedRelu",
    parameters=("alpha",),
    homogeneous=False,
    monotone=True,
    evaluate=_evaluate,
    nodes="""soma_zero = Constant <value_float = 0.0> ()
      soma_above = Greater (z, alpha_row)
      z_soma = Where (soma_above, z, soma_zero)""",
)

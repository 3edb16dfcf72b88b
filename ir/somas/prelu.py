"""The leaky soma f(z) = max(z, 0) + slope * min(z, 0), for LeakyRelu and PRelu.

In terms of spikes it is the double threshold of Yu et al. 2022 (LeakyReLU neurons): a positive
spike costs quantum q of charge, a negative one q / slope.
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters


def _evaluate(z: Array, parameters: Parameters) -> Array:
    slope = np.asarray(parameters["slope"], dtype=np.float32)
    return np.where(z < 0, z * slope, z).astype(np.float32)


PRELU = Soma(
    name="PRelu",
    parameters=("slope",),
    homogeneous=True,
    monotone=True,
    evaluate=_evaluate,
    nodes="z_soma = PRelu (z, slope_row)",
)

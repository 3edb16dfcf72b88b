"""The soma f(z) = tanh(z)."""

import numpy as np

from onnx2snn.ir.somas.base import Soma

TANH = Soma(
    name="Tanh",
    parameters=(),
    homogeneous=False,
    monotone=True,
    evaluate=lambda z, _parameters: np.tanh(np.asarray(z, np.float32)),
    nodes="z_soma = Tanh (z)",
)

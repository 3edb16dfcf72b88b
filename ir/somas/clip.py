"""The soma f(z) = min(max(z, low), high), for bounds that the count cannot express.

A count has the same bounds for all units and one quantum between them, so a Clip to [0, b] or
[-b, b] needs no soma; any other interval does.
"""

import numpy as np

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.types import Array, Parameters


def _evaluate(z: Array, parameters: Parameters) -> Array:
    low, high = (np.asarray(parameters[name], dtype=np.float32) for name in ("low", "high"))
    return np.asarray(np.maximum(np.minimum(z, high), low), dtype=np.float32)


CLIP = Soma(
    name="Clip",
    parameters=("low", "high"),
    homogeneous=False,
    monotone=True,
    evaluate=_evaluate,
    nodes="""soma_capped = Min (z, high_row)
      z_soma = Max (soma_capped, low_row)""",
)

"""Clip: min(max(z, a), b).

[0, b] and [-b, b] are bounds on the count (ReLU6, HardTanh, thresholded ReLU); any other interval
is a soma of its own, because a count has one quantum between its bounds.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.graph.rewiring import constant_operand, is_op, operand
from onnx2snn.ir.somas import CLIP

_LARGEST = float(np.finfo(np.float32).max)


def match_clip(node: gs.Node) -> Activation | None:
    """Match ``Clip`` with constant bounds."""
    if not is_op(node, "Clip"):
        return None
    bounds = [-np.inf, np.inf]
    for index in (1, 2):
        if operand(node, index) is not None:
            value = constant_operand(node, index)
            if value is None:
                return None
            bounds[index - 1] = float(value.reshape(())[()])
    lower, upper = bounds
    if not lower <= upper or not np.isfinite(bounds).any():
        return None
    if upper > 0 and lower in (0.0, -upper):
        return Activation(lower=lower, upper=upper)
    parameters = {
        "low": np.asarray(max(lower, -_LARGEST), np.float32),
        "high": np.asarray(min(upper, _LARGEST), np.float32),
    }
    return Activation(soma=CLIP, lower=lower, upper=upper, parameters=parameters)

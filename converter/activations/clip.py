"""Clip: min(max(z, a), b), a bound on the count (ReLU6, HardTanh, thresholded ReLU).

The interval must contain zero, because silence has to mean the value zero.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.rewiring import constant_operand, is_op, operand


def match_clip(node: gs.Node) -> Activation | None:
    """Match ``Clip`` with constant bounds around zero."""
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
    if not lower <= 0 <= upper or not np.isfinite(bounds).any():
        return None
    return Activation(lower=lower, upper=upper)

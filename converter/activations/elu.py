"""Elu, Selu and Celu: linear above zero, falling exponentially to a bound below.

Defaults are those of ONNX: Elu and Celu alpha = 1, Selu alpha = 1.6732632, gamma = 1.0507009.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.graph.rewiring import is_op
from onnx2snn.ir.somas import ELU


def match_elu(node: gs.Node) -> Activation | None:
    """Match ``Elu``, ``Selu`` and ``Celu``."""
    if is_op(node, "Elu"):
        return _elu(alpha=float(node.attrs.get("alpha", 1.0)))
    if is_op(node, "Celu"):
        alpha = float(node.attrs.get("alpha", 1.0))
        return _elu(alpha=alpha, width=alpha) if alpha > 0 else None
    if is_op(node, "Selu"):
        gamma = float(node.attrs.get("gamma", 1.0507009873554805))
        alpha = float(node.attrs.get("alpha", 1.6732632423543772))
        return _elu(alpha=gamma * alpha, gamma=gamma) if gamma > 0 else None
    return None


def _elu(alpha: float, width: float = 1.0, gamma: float = 1.0) -> Activation:
    values = {"alpha": alpha, "width": width, "gamma": gamma}
    parameters = {name: np.asarray(value, np.float32) for name, value in values.items()}
    return Activation(soma=ELU, lower=min(0.0, -alpha), parameters=parameters)

"""Activations of the form z g(z) with a gate g from 0 to 1: SiLU, HardSwish, GELU, Mish.

None is monotone; each has a small negative minimum.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.ann_functions import is_ann
from onnx2snn.converter.graph.rewiring import is_op
from onnx2snn.ir.somas import GELU, GELU_TANH, HARD_SWISH, MISH, SILU

LEAST_SILU = -0.2784645428
LEAST_HARD_SWISH = -0.375
LEAST_GELU = -0.1699712058
LEAST_GELU_TANH = -0.1700407506
LEAST_MISH = -0.3088408847


def match_silu(node: gs.Node) -> Activation | None:
    """Match ``Silu`` (recognised) and ``QuickGelu`` of com.microsoft: z sigmoid(alpha z)."""
    fused = node.domain == "com.microsoft" and node.op == "QuickGelu"
    if not is_ann(node, "Silu") and not fused:
        return None
    alpha = float(node.attrs.get("alpha", 1.702))
    if alpha <= 0:
        return None
    parameters = {"alpha": np.asarray(alpha, np.float32)}
    return Activation(soma=SILU, lower=LEAST_SILU / alpha, parameters=parameters)


def match_gated(node: gs.Node) -> Activation | None:
    """Match ``HardSwish`` and ``Mish``."""
    if is_op(node, "HardSwish"):
        return Activation(soma=HARD_SWISH, lower=LEAST_HARD_SWISH)
    if is_op(node, "Mish"):
        return Activation(soma=MISH, lower=LEAST_MISH)
    return None


def match_gelu(node: gs.Node) -> Activation | None:
    """Match ``Gelu`` in both forms and ``FastGelu`` of com.microsoft (without bias)."""
    fused = node.domain == "com.microsoft" and len(node.inputs) == 1
    if fused and node.op == "FastGelu":
        return Activation(soma=GELU_TANH, lower=LEAST_GELU_TANH)
    if not is_op(node, "Gelu") and not (fused and node.op == "Gelu"):
        return None
    form = node.attrs.get("approximate", "none")
    if form in ("tanh", b"tanh"):
        return Activation(soma=GELU_TANH, lower=LEAST_GELU_TANH)
    return Activation(soma=GELU, lower=LEAST_GELU)

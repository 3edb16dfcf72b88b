"""LeakyRelu and PRelu: max(z, 0) + slope min(z, 0), the leaky soma with signed counts."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.graph.rewiring import constant_operand, is_op
from onnx2snn.ir.somas import PRELU


def match_leaky_relu(node: gs.Node) -> Activation | None:
    """Match ``LeakyRelu``; the default slope of ONNX is 0.01."""
    if not is_op(node, "LeakyRelu"):
        return None
    slope = np.asarray(node.attrs.get("alpha", 0.01), dtype=np.float32)
    return Activation(soma=PRELU, parameters={"slope": slope})


def match_prelu(node: gs.Node) -> Activation | None:
    """Match ``PRelu`` with a constant slope."""
    slope = constant_operand(node, 1) if is_op(node, "PRelu") else None
    if slope is None:
        return None
    return Activation(soma=PRELU, parameters={"slope": np.asarray(slope, dtype=np.float32)})

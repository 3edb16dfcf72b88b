"""LeakyRelu and PRelu: max(z, 0) + slope min(z, 0), the leaky soma with signed counts.

In terms of thresholds: a positive spike costs theta, a negative one theta / slope. A symmetric cap
(sthLeakyReLU) is the bound on the count.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.ann_functions import is_ann
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


def match_capped_leaky_relu(node: gs.Node) -> Activation | None:
    """Match ``CappedLeakyRelu``, the leaky line between -cap and cap."""
    if not is_ann(node, "CappedLeakyRelu"):
        return None
    slope, cap = np.asarray(node.attrs["alpha"], dtype=np.float32), float(node.attrs["cap"])
    return Activation(soma=PRELU, lower=-cap, upper=cap, parameters={"slope": slope})

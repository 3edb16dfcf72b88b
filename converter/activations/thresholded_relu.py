"""ThresholdedRelu: z above a threshold, else 0. The default threshold of ONNX is 1."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.graph.rewiring import is_op
from onnx2snn.ir.somas import THRESHOLDED_RELU


def match_thresholded_relu(node: gs.Node) -> Activation | None:
    """Match ``ThresholdedRelu``."""
    if not is_op(node, "ThresholdedRelu"):
        return None
    alpha = float(node.attrs.get("alpha", 1.0))
    parameters = {"alpha": np.asarray(alpha, np.float32)}
    return Activation(soma=THRESHOLDED_RELU, lower=min(0.0, alpha), parameters=parameters)

"""Relu: max(z, 0), the linear soma with counts bounded below by zero."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.graph.rewiring import is_op


def match_relu(node: gs.Node) -> Activation | None:
    """Match ``Relu``."""
    return Activation(lower=0.0) if is_op(node, "Relu") else None

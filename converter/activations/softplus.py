"""Softplus: log(1 + exp(z)), positive everywhere; log 2 at silence."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.graph.rewiring import is_op
from onnx2snn.ir.somas import SOFTPLUS


def match_softplus(node: gs.Node) -> Activation | None:
    """Match ``Softplus``."""
    if not is_op(node, "Softplus"):
        return None
    return Activation(soma=SOFTPLUS, lower=0.0, readout_ok=True)

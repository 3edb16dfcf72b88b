"""Sigmoid, HardSigmoid, Tanh, Softsign: bounded activations.

Quanta divide the whole interval, not what calibration has seen of it. At the end of a network
they stay what they are, on decoded values. HardSigmoid defaults to alpha = 0.2, beta = 0.5.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.graph.rewiring import is_op
from onnx2snn.ir.somas import HARD_SIGMOID, SIGMOID, SOFTSIGN, TANH


def match_squashing(node: gs.Node) -> Activation | None:
    """Match ``Sigmoid``, ``HardSigmoid``, ``Tanh`` and ``Softsign``."""
    if is_op(node, "Sigmoid"):
        return Activation(soma=SIGMOID, lower=0.0, upper=1.0, readout_ok=True)
    if is_op(node, "HardSigmoid"):
        parameters = {
            "alpha": np.asarray(node.attrs.get("alpha", 0.2), np.float32),
            "beta": np.asarray(node.attrs.get("beta", 0.5), np.float32),
        }
        return Activation(
            soma=HARD_SIGMOID, lower=0.0, upper=1.0, parameters=parameters, readout_ok=True
        )
    if is_op(node, "Tanh"):
        return Activation(soma=TANH, lower=-1.0, upper=1.0, readout_ok=True)
    if is_op(node, "Softsign"):
        return Activation(soma=SOFTSIGN, lower=-1.0, upper=1.0, readout_ok=True)
    return None

"""The grid that an int8 network puts on its own input.

A model with QuantizeLinear behind its input rounds the input itself: that rounding became a
staircase, and the staircase a neuron. If the input encoder rounded to a grid of its own first, the
input would be rounded twice, and values near the middle between two int8 values would end at the
wrong one. So the encoder takes over the grid: it emits k = round(x / scale), and the neuron that
follows only clips.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.calibration.input_grid import InputGrid
from onnx2snn.converter.planning.plan import MOVES, Plan


def own_grid(tensor: gs.Tensor, plan: Plan) -> InputGrid | None:
    """Return the grid of the staircase that is all that reads a tensor; None if there is none.

    Args:
        tensor: a tensor at which raw values become a stream.
        plan: role of every node.
    """
    reader = _only_reader(tensor)
    while reader is not None and reader.op in MOVES:
        reader = _only_reader(reader.outputs[0])
    activation = plan.activations.get(reader.name) if reader is not None else None
    if activation is None or activation.levels is None:
        return None
    slope = activation.parameters.get("slope")
    if slope is not None and not bool((slope == 1).all()):
        return None  # another quantum below zero
    quantum = activation.upper / activation.levels
    reach = max(activation.upper, -activation.lower)
    return InputGrid(
        quantum=np.asarray(quantum, np.float32),
        offset=np.zeros((), np.float32),
        levels=round(reach / quantum),
        reach=np.asarray(reach, np.float32),
        signed=activation.signed,
        lossless=True,
    )


def _only_reader(tensor: gs.Tensor) -> gs.Node | None:
    return tensor.outputs[0] if len(tensor.outputs) == 1 else None

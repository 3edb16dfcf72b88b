"""Full layers on a constant input, with weights of one byte and inputs of 16 bits.

Such a layer runs once in a run, but all its weights are read: at batch 1 their bytes are the time.
Weights and inputs are rounded, each output o and each sample n with a scale of its own:

    w_o = max |W_o| / 127          K_oi = round(W_oi / w_o)
    a_n = max |x_n| / 32767        X_ni = round(x_ni / a_n)
    y_no = (sum_i K_oi X_ni) * (w_o a_n)

The sum is a whole number, exact on every instruction set; the rest is float32. A sample whose a_n
is no normal float32 counts as zeros; one with a value that is not finite gives NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.runtime.engine.attributes import attributes
from onnx2snn.runtime.engine.int8 import rounded, scale_of
from onnx2snn.runtime.engine.stream import ENGINE

if TYPE_CHECKING:
    from onnx2snn.runtime.engine.lowering import Lowering

LANES = 32
"""Outputs of one weight row: ``kRowLanes`` of ``native/kernels/sizes.h``."""
LOW_BIAS = 128
"""Of the first of two weights in a number: ``kLowBias`` of ``native/kernels/sizes.h``."""


def held_product(
    lowering: Lowering, node: onnx.NodeProto, raw: Mapping[str, str]
) -> onnx.NodeProto | None:
    """Return a full layer that runs once as ``HeldProduct``.

    Args:
        lowering: the walk that the layer is part of.
        node: a node that may run once, on rows of its input; without a bias.
        raw: by stream, the tensor [N, *F] it shows.

    Returns:
        The node; None if weights are not rounded, or it is no full layer on [N, inputs] with finite
        weights [inputs, outputs] (or as ``transB`` says).
    """
    if not lowering.int8 or node.op_type not in ("Gemm", "MatMul"):
        return None
    weights = lowering.floats(node.input[1])
    if weights is None or weights.ndim != 2 or len(lowering.shape(node.input[0]) or ()) != 2:
        return None
    told = attributes(node)
    by_output = weights if told.get("transB", 0) else weights.T
    by_output = by_output * np.float32(told.get("alpha", 1.0))
    if by_output.size == 0 or not bool(np.all(np.isfinite(by_output))):
        return None
    scale = scale_of([by_output])
    stream = node.output[0]
    whole = packed(rounded(by_output, scale).astype(np.int8))
    inputs = [
        raw[node.input[0]],
        lowering.add_constant(f"{stream}/whole", whole),
        lowering.add_constant(f"{stream}/scale", scale),
    ]
    name = f"{ENGINE}/{node.name}/held" if node.name else ""
    outputs = [f"{ENGINE}/{stream}/held"]
    return helper.make_node("HeldProduct", inputs, outputs, name=name, domain=ENGINE)


def packed(whole: NDArray[np.int8]) -> NDArray[np.int16]:
    """Return weights [outputs, inputs] as the kernels read them, filled up with zeros.

    [blocks of LANES outputs, pairs of inputs, LANES / 2, 2 inputs], each number two weights:
    (low + 128) + 256 * high, those of outputs i and i + LANES / 2 of a block. What the operator
    reads is the constant itself, so that a session keeps no second copy.
    """
    outputs, inputs = whole.shape
    full = np.pad(whole, ((0, -outputs % LANES), (0, -inputs % 2))).astype(np.int16)
    halves = full.reshape(-1, 2, LANES // 2, full.shape[1] // 2, 2)
    numbers = (halves[:, 0] + LOW_BIAS) + 256 * halves[:, 1]
    return np.ascontiguousarray(numbers.transpose(0, 2, 1, 3))

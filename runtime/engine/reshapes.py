"""Flattening of spikes: only the order of weights changes, no event moves."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx

from onnx2snn.runtime.engine.attributes import attributes
from onnx2snn.runtime.engine.stream import Emissions

if TYPE_CHECKING:
    from onnx2snn.runtime.engine.lowering import Lowering


def flattened(lowering: Lowering, node: onnx.NodeProto, spikes: Emissions) -> Emissions | None:
    """Return the spikes under a Flatten, Reshape or Squeeze to [T*N, features]; None otherwise."""
    shape = lowering.shape(node.input[0])
    if shape is None or spikes.flat:
        return None
    if node.op_type == "Flatten":
        keeps_rows = attributes(node).get("axis", 1) == 1
    elif node.op_type == "Squeeze":
        result = lowering.shape(node.output[0])
        keeps_rows = result is not None and len(result) == 2 and shape[2:] == (1,) * len(shape[2:])
    else:
        keeps_rows = _reshape_keeps_rows(lowering, node, shape[1:])
    return replace(spikes, flat=len(shape) > 2) if keeps_rows else None


def _reshape_keeps_rows(
    lowering: Lowering, node: onnx.NodeProto, features: tuple[int | None, ...]
) -> bool:
    target = lowering.constant(node.input[1])
    if target is None or target.size != 2 or attributes(node).get("allowzero", 0):
        return False
    rows, columns = np.asarray(target, dtype=np.int64).tolist()
    if rows == 0:
        return True
    known = [size for size in features if size is not None]
    return len(known) == len(features) and rows == -1 and columns == math.prod(known)

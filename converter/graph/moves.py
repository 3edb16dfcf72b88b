"""Operators that only move elements: what they do to any array they can do to an index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from onnx2snn.ir.ops import IR_VERSION, OPSET

_RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
MOVES = (
    *_RESHAPES,
    "Identity",
    "Transpose",
    "Slice",
    "Split",
    "Gather",
    "Concat",
    "Pad",
    "DepthToSpace",
    "SpaceToDepth",
    "Expand",
    "Tile",
)


def move(
    node: onnx.NodeProto,
    arrays: Mapping[str, NDArray[Any]],
    constants: Mapping[str, NDArray[Any]],
    sizes: Mapping[str, tuple[int, ...]],
) -> list[NDArray[Any]] | None:
    """Run a moving operator on arrays of any type.

    Args:
        node: one of ``MOVES``.
        arrays: what stands for the streams it reads, [1, *F]; a Concat's other inputs are silent.
        constants: the constants of the graph.
        sizes: shape [1, *F] of every stream.

    Returns:
        One array per output; None if a shape or index it reads is no constant.
    """
    if node.op_type in _RESHAPES:
        return [arrays[node.input[0]].reshape(sizes[node.output[0]])]
    feeds = {name: arrays.get(name, constants.get(name)) for name in node.input if name}
    if any(value is None for value in feeds.values()):
        return None
    kind = next(iter(arrays.values())).dtype
    if node.op_type == "Concat":
        feeds = {
            name: value if name in arrays else np.zeros_like(value, dtype=kind)
            for name, value in feeds.items()
        }
    values = {name: np.asarray(value) for name, value in feeds.items()}
    graph = helper.make_graph(
        [node],
        "move",
        [_info(name, value) for name, value in values.items()],
        [helper.make_empty_tensor_value_info(name) for name in node.output],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    outputs = ReferenceEvaluator(model).run(None, values)
    return [np.asarray(output) for output in outputs]


def _info(name: str, value: NDArray[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
    )

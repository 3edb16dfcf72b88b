"""Lengths that shape inference cannot tell, read off two runs.

What is behind a computed Expand or a Reshape to [-1, ...] gets a fresh symbol from inference.
Run at two batch sizes, such an axis either keeps its length, or is the batch, or is neither.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.shapes import BATCH, to_model
from onnx2snn.converter.judging.execution import Execution, ExecutionError

_BATCHES = (2, 3)
_PREFIX = "onnx2snn.shape_of."


def settle_symbols(graph: gs.Graph) -> None:
    """Replace unknown entries of shapes by a number or the batch symbol, where that is so."""
    tensors = [
        tensor
        for node in graph.nodes
        for tensor in node.outputs
        if not tensor.is_empty() and tensor.dtype is not None and not _is_settled(tensor.shape)
    ]
    if not tensors:
        return
    shapes = observe_shapes(to_model(graph), [tensor.name for tensor in tensors])
    for tensor in tensors:
        if tensor.name in shapes:
            first, second = shapes[tensor.name]
            tensor.shape = [_entry(int(a), int(b)) for a, b in zip(first, second, strict=True)]


def observe_shapes(
    model: onnx.ModelProto, names: list[str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Shapes of tensors at batch 2 and 3; empty if the model does not run there.

    Args:
        model: Shape nodes and outputs are added to it.
        names: of tensors of the outermost graph.
    """
    del model.graph.value_info[:]
    for name in names:
        model.graph.node.append(onnx.helper.make_node("Shape", [name], [_PREFIX + name]))
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(_PREFIX + name))
    wanted = [_PREFIX + name for name in names]
    try:
        execution = Execution(model)
        first, second = (execution.run(execution.feeds(batch, 0), wanted) for batch in _BATCHES)
    except ExecutionError:
        return {}
    return {
        name: (np.asarray(first[_PREFIX + name]), np.asarray(second[_PREFIX + name]))
        for name in names
        if len(np.asarray(first[_PREFIX + name])) == len(np.asarray(second[_PREFIX + name]))
    }


def _is_settled(shape: list[int | str | None] | None) -> bool:
    return shape is not None and all(isinstance(dim, int) or dim == BATCH for dim in shape)


def _entry(first: int, second: int) -> int | str | None:
    if first == second:
        return first
    return BATCH if (first, second) == _BATCHES else None

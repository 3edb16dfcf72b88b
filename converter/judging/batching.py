"""Whether a model treats the entries of its first axis independently.

Decided by running: a batch of two must give what two batches of one give, stacked. Only then may
time be folded into the batch axis.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from onnx2snn.converter.judging.agreement import agree
from onnx2snn.converter.judging.execution import Execution, ExecutionError, stack


def batched_inputs(model: onnx.ModelProto) -> list[str]:
    """Names of the inputs whose first axis is symbolic."""
    names = []
    for item in model.graph.input:
        dims = item.type.tensor_type.shape.dim
        if len(dims) and not dims[0].HasField("dim_value"):
            names.append(item.name)
    return names


def is_batch_free(model: onnx.ModelProto, batch: int = 1) -> bool:
    """Whether one batch equals two batches of half its size, on seeded inputs.

    Args:
        model: the model.
        batch: half of that size; also tried at 1.
    """
    return all(_runs_free(model, half) for half in dict.fromkeys((1, batch)))


def _runs_free(model: onnx.ModelProto, batch: int) -> bool:
    batched = batched_inputs(model)
    if not batched:
        return False
    try:
        execution = Execution(model)
        first, second = execution.feeds(batch, 0), execution.feeds(batch, 1)
        # Inputs without a batch axis are the same in all runs.
        second = {name: second[name] if name in batched else first[name] for name in second}
        apart = stack_outputs(execution.run(first), execution.run(second))
        together = execution.run(stack(first, second, batched))
    except ExecutionError:
        return False
    return apart is not None and agree(together, apart) is None


def stack_outputs(
    first: Mapping[str, object], second: Mapping[str, object]
) -> dict[str, object] | None:
    """Outputs of two runs as those of one batch; None if one has no first axis."""
    stacked: dict[str, object] = {}
    for name, value in first.items():
        other = second[name]
        if isinstance(value, list) and isinstance(other, list):
            stacked[name] = value + other
        elif isinstance(value, np.ndarray) and isinstance(other, np.ndarray) and value.ndim:
            stacked[name] = np.concatenate([value, other])
        else:
            return None
    return stacked

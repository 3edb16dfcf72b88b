"""The sizes of streams for one sample and one timestep, found by running."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper

from onnx2snn.ir.derive.settle import shape_model, shape_name
from onnx2snn.ir.errors import ExportError, InvalidModelError, SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors


def stream_sizes(model: SpikingModel, tensors: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the shape [1, *F] of streams by name; open dimensions of the inputs count as 1.

    Raises:
        ExportError: the network does not run at that size.
    """
    if not tensors:
        return {}
    probe = shape_model(model, tensors)
    feeds = one_sample(model)
    try:
        session = Session(probe)
        found = session.run({name: feeds[name] for name in session.inputs if name in feeds})
    except (InvalidModelError, SimulationError) as error:
        raise ExportError(
            f"the sizes of the network's layers cannot be found: {error.message}",
            remedy="convert the model with fixed input dimensions",
        ) from error
    return {name: tuple(int(n) for n in found[shape_name(name)]) for name in dict.fromkeys(tensors)}


def one_sample(model: SpikingModel) -> Tensors:
    """Return inputs of zeros for one sample (or for the batch of the file where it is fixed)."""
    feeds: Tensors = {}
    for value in model.plain.graph.input[:-1]:
        tensor = value.type.tensor_type
        shape = [dim.dim_value or 1 for dim in tensor.shape.dim]
        feeds[value.name] = np.zeros(shape, _dtype(tensor))
    return feeds


def _dtype(tensor: onnx.TypeProto.Tensor) -> np.dtype[np.generic]:
    return np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))

"""Cutting samples into chunks, and checking them first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.errors import DataError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.data.dataset import fit_data
from onnx2snn.runtime.data.input_spec import input_specs

Samples = Mapping[str, NDArray[np.generic]] | NDArray[np.generic]
"""One array [N, *F] per input by name, or one array for a model with one input."""


def check_samples(model: SpikingModel, data: Samples) -> Tensors:
    """Return the samples by input name, in the types of the model.

    Raises:
        DataError: inputs are missing, or samples do not fit them.
    """
    arrays = dict(data) if isinstance(data, Mapping) else {model.inputs[0]: data}
    missing = [name for name in model.inputs if name not in arrays]
    if missing or (not isinstance(data, Mapping) and len(model.inputs) > 1):
        raise DataError(
            f"samples are missing for: {', '.join(missing)}",
            remedy=f"hand in one array for each of: {', '.join(model.inputs)}",
        )
    fitted, _ = fit_data(arrays, input_specs(model.light.graph, model.inputs))
    return fitted


def chunk(data: Tensors, samples: int) -> Iterator[tuple[slice, Tensors]]:
    """Yield the place and the content of chunks of at most ``samples`` samples."""
    total = len(next(iter(data.values())))
    for start in range(0, total, samples):
        place = slice(start, min(start + samples, total))
        yield place, {name: values[place] for name, values in data.items()}


def fixed_batch(graph: onnx.GraphProto) -> int | None:
    """Return the only batch size a graph takes; None if it takes any."""
    constants = {tensor.name for tensor in graph.initializer}
    for item in graph.input:
        dims = item.type.tensor_type.shape.dim
        if item.name not in constants and len(dims) and dims[0].dim_value > 0:
            return int(dims[0].dim_value)
    return None


def padded(feeds: Tensors, samples: int) -> Tensors:
    """Repeat the last sample until there are ``samples``."""
    return {
        name: np.concatenate([values, np.repeat(values[-1:], samples - len(values), axis=0)])
        for name, values in feeds.items()
    }

"""What a model expects at its inputs: name, shape and type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.ir.errors import InvalidModelError

Shape = tuple[int | None, ...]
"""A shape; None where any size is allowed."""


@dataclass(frozen=True)
class InputSpec:
    """One input of a model.

    Attributes:
        name: its name.
        shape: its shape, samples first; None where any size is allowed. None as a whole if the
            model does not say.
        dtype: its element type.
    """

    name: str
    shape: Shape | None
    dtype: np.dtype[np.generic]

    def __str__(self) -> str:
        return f"'{self.name}' {describe_array(self.dtype, self.sample_shape)}"

    @property
    def sample_shape(self) -> Shape | None:
        """Return the shape with the first axis freed: it counts the samples."""
        return None if not self.shape else (None, *self.shape[1:])


def describe_array(dtype: np.dtype[np.generic], shape: Sequence[int | None] | None) -> str:
    """Return a type and a shape in words, e.g. ``float32 [N, 3, 32, 32]``."""
    if shape is None:
        return f"{dtype} of any shape"
    free = ["N" if i == 0 else "any" for i in range(len(shape))]
    sizes = [free[i] if size is None else str(size) for i, size in enumerate(shape)]
    return f"{dtype} [{', '.join(sizes)}]"


def describe(array: NDArray[np.generic]) -> str:
    """Return what an array is, in words."""
    return describe_array(array.dtype, array.shape)


def input_specs(
    graph: onnx.GraphProto, names: Sequence[str] | None = None
) -> tuple[InputSpec, ...]:
    """Return the inputs a caller must feed.

    Args:
        graph: a graph; initializers listed as inputs (old exporters) are left out.
        names: keep these only, e.g. to leave out a spiking model's ``timesteps``.

    Raises:
        InvalidModelError: an input is no tensor of a type numpy knows.
    """
    constants = {initializer.name for initializer in graph.initializer}
    wanted = {item.name for item in graph.input} - constants if names is None else set(names)
    return tuple(_spec(item) for item in graph.input if item.name in wanted)


def _spec(item: onnx.ValueInfoProto) -> InputSpec:
    tensor = item.type.tensor_type
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, TypeError):
        dtype = np.dtype(object)
    if dtype.hasobject:
        raise InvalidModelError(
            f"input '{item.name}' is no tensor of numbers",
            remedy="export the model with numeric tensor inputs",
        )
    if not tensor.HasField("shape"):
        return InputSpec(item.name, None, dtype)
    shape = tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in tensor.shape.dim
    )
    return InputSpec(item.name, shape, dtype)

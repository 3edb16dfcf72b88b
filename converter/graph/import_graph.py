"""From ONNX models to onnx-graphsurgeon graphs, whose constants may lie in a weight file."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx_graphsurgeon.ir.tensor import LazyValues

from onnx2snn.ir.stored_weights import is_stored, tensor_values


class _StoredValues(LazyValues):  # type: ignore[misc]
    """Values that are mapped when they are looked at."""

    def load(self) -> NDArray[np.generic]:
        return tensor_values(self.tensor)


class _StoredConstant(gs.Constant):  # type: ignore[misc]
    """A constant that does not keep what it has loaded: it is exported as the reference it is."""

    @property
    def values(self) -> NDArray[np.generic]:
        held = self._values
        return held.load() if isinstance(held, LazyValues) else held

    @values.setter
    def values(self, values: NDArray[np.generic] | LazyValues) -> None:
        self._values = values


def import_graph(model: onnx.ModelProto) -> gs.Graph:
    """Import a model; constants in a weight file stay there until a pass changes them."""
    graph = gs.import_onnx(model)
    for tensor in graph.tensors().values():
        held = getattr(tensor, "_values", None)
        if isinstance(held, LazyValues) and is_stored(held.tensor):
            tensor.__class__ = _StoredConstant
            tensor.values = _StoredValues(held.tensor)
            tensor.data_location = None  # that of the reference, not of values put in its place
    return graph

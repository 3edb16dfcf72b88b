"""From decoded values to the ANN's outputs: the part of a spiking model behind its read-outs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.backends import Backend


class Head:
    """The head of a running model or of a chunk model, loaded.

    Args:
        model: the head; None if the decoded values are the outputs.
        outputs: names of the ANN's outputs.
        backend: what runs it.
        threads: 0 lets the backend decide.
    """

    def __init__(
        self,
        model: onnx.ModelProto | None,
        outputs: Sequence[str],
        backend: Backend,
        threads: int = 0,
    ) -> None:
        self._loaded = None if model is None else backend.load(model, threads=threads)
        self._inputs = () if model is None else tuple(item.name for item in model.graph.input)
        self._outputs = tuple(outputs)

    def outputs(self, values: Tensors, feeds: Mapping[str, NDArray[np.generic]]) -> Tensors:
        """Return the ANN's outputs.

        Args:
            values: decoded values of one timestep, [N, *F].
            feeds: the ANN's inputs, which a head may read as well.
        """
        if self._loaded is None:
            return {name: np.asarray(values[name]) for name in self._outputs}
        known = {**feeds, **values}
        decoded = {**values, **self._loaded.run({name: known[name] for name in self._inputs})}
        return {name: np.asarray(decoded[name]) for name in self._outputs}

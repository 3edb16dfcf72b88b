"""What a backend is: something that loads ONNX models and runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.session import Tensors


class Runnable(Protocol):
    """A loaded model."""

    def run(
        self, feeds: Mapping[str, NDArray[np.generic]], outputs: Sequence[str] | None = None
    ) -> Tensors:
        """Run the model once and return its outputs (or those asked for) by name."""
        ...


class Backend(Protocol):
    """A way to run models of standard and ``onnx2snn`` operators."""

    @property
    def name(self) -> str:
        """Return the name the backend is chosen by."""
        ...

    def why_unavailable(self) -> str:
        """Say why the backend cannot run here; empty if it can."""
        ...

    def load(self, model: onnx.ModelProto, *, threads: int = 0) -> Runnable:
        """Load a model; 0 threads lets the backend decide."""
        ...

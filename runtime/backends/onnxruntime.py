"""ONNX Runtime on the CPU: the neurons compiled where the library was built, else their bodies."""

from __future__ import annotations

import onnx

from onnx2snn.ir.session import Session
from onnx2snn.runtime.native.library import custom_ops_path


class OnnxRuntimeBackend:
    """Loads models into onnxruntime; needs nothing beyond it."""

    name = "onnxruntime"

    def why_unavailable(self) -> str:
        """Return the empty string: onnxruntime is a dependency of the package."""
        return ""

    def load(self, model: onnx.ModelProto, *, threads: int = 0) -> Session:
        """Load a model; a registered operator wins over the function body of the same name."""
        return Session(model, threads=threads, library=custom_ops_path())

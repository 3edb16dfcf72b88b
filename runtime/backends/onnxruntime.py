"""ONNX Runtime on the CPU: the function bodies of the file, as any user of the file runs them."""

from __future__ import annotations

import onnx

from onnx2snn.ir.session import Session


class OnnxRuntimeBackend:
    """Loads models into onnxruntime; needs nothing beyond it."""

    name = "onnxruntime"

    def why_unavailable(self) -> str:
        """Return the empty string: onnxruntime is a dependency of the package."""
        return ""

    def load(self, model: onnx.ModelProto, *, threads: int = 0) -> Session:
        """Load a model."""
        return Session(model, threads=threads)

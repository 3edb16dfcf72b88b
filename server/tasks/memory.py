"""Recognise, under whatever name it comes, that a model or its data need too much memory."""

from __future__ import annotations

from onnx2snn.ir.findings import Finding

OUT_OF_MEMORY = Finding(
    code="out-of-memory",
    severity="error",
    message="the model or the data need more memory than a job may use",
    remedy="use a smaller model or fewer samples, or ask the operator for more memory",
)
_SIGNS = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Unable to allocate")


def is_about_memory(text: str) -> bool:
    """Return whether a message of numpy, onnx or ONNX Runtime tells of missing memory."""
    return any(sign in text for sign in _SIGNS)

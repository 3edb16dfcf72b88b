"""Backends: ways to run a spiking model, chosen by name."""

from __future__ import annotations

from onnx2snn.ir.errors import SimulationError
from onnx2snn.runtime.backends.base import Backend, Runnable
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.backends.onnxruntime import OnnxRuntimeBackend
from onnx2snn.runtime.backends.reference import ReferenceBackend

BACKENDS: tuple[Backend, ...] = (
    OnnxRuntimeBackend(),
    ReferenceBackend(),
    EventBackend(),
    EventBackend(weights="int8"),
)


def find_backend(name: str, backends: tuple[Backend, ...] = BACKENDS) -> Backend:
    """Return the backend of this name.

    Raises:
        SimulationError: no backend has this name, or it cannot run here.
    """
    known = {backend.name: backend for backend in backends}
    if name not in known:
        raise SimulationError(
            f"there is no backend '{name}'", remedy=f"choose one of: {', '.join(known)}"
        )
    reason = known[name].why_unavailable()
    if reason:
        raise SimulationError(
            f"backend '{name}' is not available: {reason}", remedy="choose another backend"
        )
    return known[name]


__all__ = ["BACKENDS", "Backend", "Runnable", "find_backend"]

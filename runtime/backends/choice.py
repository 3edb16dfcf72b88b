"""Which backend runs a model when none is asked for."""

from __future__ import annotations

from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.stored_weights import has_stored, large_weights
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.outcomes.trace import Recording

AUTO = "auto"
"""The default of everything that takes the name of a backend."""

FALLBACK = "onnxruntime"
"""What runs every model on every machine."""


def chosen(name: str, model: SpikingModel, recording: Recording = "none") -> str:
    """Return the name of the backend that runs a model: the one asked for, or what ``auto`` means.

    ``auto`` is ``event`` where that is the faster of the two, otherwise ``onnxruntime``: in the
    scan layout, which runs in onnxruntime anyway; while spike trains are recorded, which costs
    most of the engine's gain; for networks whose weights are so large that they lie in a file, of
    which the engine would keep a copy in memory; and where the library was not compiled.

    Args:
        name: of a backend, or ``auto``.
        model: the spiking model.
        recording: what will be recorded.
    """
    if name != AUTO:
        return name
    event = EventBackend()
    if (
        event.why_unavailable()
        or model.manifest.layout == "scan"
        or recording == "spikes"
        or has_stored(model.light)
        or large_weights(model.light)
    ):
        return FALLBACK
    return event.name

"""The event-driven engine: work for events only, dense steps where events are many.

Lists of spikes instead of dense tensors, weight rows summed per event, neurons fused behind; what
the engine has no form for runs in onnxruntime, in the same session and on the same threads.
"""

from __future__ import annotations

import onnx

from onnx2snn.ir.session import Session
from onnx2snn.ir.stored_weights import WeightFile, has_stored
from onnx2snn.runtime.engine.lowering import lower
from onnx2snn.runtime.native.library import custom_ops_path, why_not_built


class EventBackend:
    """Loads models lowered to fused layers; needs the compiled library.

    Args:
        dense_above: density of a timestep from which on a layer computes it densely, 0 to 1; the
            engine's measured choice if not given.
    """

    name = "event"

    def __init__(self, dense_above: float | None = None) -> None:
        self._dense_above = dense_above

    def why_unavailable(self) -> str:
        """Say that the library is missing, if it is."""
        return why_not_built()

    def load(self, model: onnx.ModelProto, *, threads: int = 0) -> Session:
        """Lower a model and load it."""
        weights = WeightFile() if has_stored(model) else None
        lowered = lower(model, self._dense_above, weights)
        return Session(lowered, threads=threads, library=custom_ops_path())

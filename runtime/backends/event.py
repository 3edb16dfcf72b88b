"""The event-driven engine: work for events only, dense steps where events are many.

Lists of spikes instead of dense tensors, weight rows summed per event, neurons fused behind; what
the engine has no form for runs in onnxruntime, in the same session and on the same threads.
"""

from __future__ import annotations

import onnx

from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.session import Session
from onnx2snn.ir.stored_weights import WeightFile, has_stored
from onnx2snn.runtime.engine.lowering import lower
from onnx2snn.runtime.native.library import custom_ops_path, why_not_built

WEIGHTS = ("float32", "int8")
"""Forms of weights; the first is the default."""


def named(backend: str, weights: str) -> str:
    """Return the name of a backend with weights of another form.

    ``auto`` with int8 weights is the event engine: nothing else has them.

    Raises:
        SimulationError: the backend has no such weights.
    """
    if weights == WEIGHTS[0]:
        return backend
    if weights not in WEIGHTS or backend not in ("event", "auto"):
        raise SimulationError(
            f"backend '{backend}' has no {weights} weights",
            remedy="choose backend 'event' with int8 weights, or float32 weights",
        )
    return f"event-{weights}"


def weights_of(backend: str) -> str:
    """Return the form of the weights that a backend of this name runs with."""
    return "int8" if backend == named("event", "int8") else WEIGHTS[0]


class EventBackend:
    """Loads models lowered to fused layers; needs the compiled library.

    Args:
        dense_above: density of a timestep from which on a layer computes it densely, 0 to 1; the
            engine's measured choice if not given.
        weights: ``float32``, or ``int8``: the weights in front of neurons rounded to one byte (see
            ``engine/int8.py``). That backend is called ``event-int8``.
        tiles: whether dense 3 x 3 convolutions may go by tiles (Winograd), which round differently;
            with int8 weights they are exact.

    Raises:
        SimulationError: there is no such form of weights.
    """

    def __init__(
        self, dense_above: float | None = None, weights: str = "float32", *, tiles: bool = True
    ) -> None:
        if weights not in WEIGHTS:
            raise SimulationError(
                f"the event engine has no weights '{weights}'",
                remedy=f"choose one of: {', '.join(WEIGHTS)}",
            )
        self._dense_above = dense_above
        self._weights = weights
        self._tiles = tiles

    @property
    def name(self) -> str:
        """Return the name the backend is chosen by."""
        return named("event", self._weights)

    def why_unavailable(self) -> str:
        """Say that the library is missing, if it is."""
        return why_not_built()

    def load(self, model: onnx.ModelProto, *, threads: int = 0) -> Session:
        """Lower a model and load it."""
        weights = WeightFile() if has_stored(model) else None
        int8 = self._weights == "int8"
        lowered = lower(
            model, self._dense_above, weights, int8=int8, tiles=self._tiles, threads=threads
        )
        # The first run puts the weights in an order of the engine's own.
        return Session(lowered, reread=False, threads=threads, library=custom_ops_path())

"""A spiking model that lives on between timesteps: streaming input, carried state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.derive.step import initial_states, to_step
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.backends import find_backend


class Simulator:
    """Advances a spiking model by one timestep per call.

    Args:
        model: the spiking model.
        backend: name of the backend.
        threads: 0 lets the backend decide.

    Raises:
        SimulationError: the backend is unknown or unavailable.
    """

    def __init__(
        self, model: SpikingModel, *, backend: str = "onnxruntime", threads: int = 0
    ) -> None:
        self._model = model
        self._step = to_step(model)
        self._loaded = find_backend(backend).load(self._step.proto, threads=threads)
        self._states: Tensors = {}
        self._timestep = 0

    @property
    def timestep(self) -> int:
        """Return the number of timesteps since the last reset."""
        return self._timestep

    def reset(self) -> None:
        """Forget everything: the next step is timestep 1."""
        self._states = {}
        self._timestep = 0

    def step(self, x: Mapping[str, NDArray[np.generic]] | NDArray[np.generic]) -> Tensors:
        """Advance one timestep.

        Args:
            x: the ANN's inputs at this timestep by name, [N, *F]; an array for a lone input. The
                batch stays the same until the next reset. During the S stimulus steps x is
                shown; afterwards it is ignored.

        Returns:
            The ANN's outputs, decoded after this timestep.

        Raises:
            SimulationError: the inputs do not fit the model, or the batch size changed.
        """
        feeds = dict(x) if isinstance(x, Mapping) else {self._model.inputs[0]: x}
        if set(feeds) != set(self._model.inputs):
            raise SimulationError(
                f"the model has the inputs {', '.join(self._model.inputs)}; got {', '.join(feeds)}",
                remedy="hand in one array per input",
            )
        batch = len(next(iter(feeds.values())))
        if self._timestep == 0:
            self._states = dict(initial_states(self._model, self._step, feeds))
            self._batch = batch
        elif batch != self._batch:
            raise SimulationError(
                f"the batch size changed from {self._batch} to {batch} at timestep "
                f"{self._timestep + 1}",
                remedy="call reset() before another batch",
            )
        self._timestep += 1
        clock = np.asarray(self._timestep, dtype=np.int64)
        results = self._loaded.run({**feeds, self._step.clock: clock, **self._states})
        self._states = {state.input: results[state.output] for state in self._step.states}
        return {name: results[name] for name in self._model.outputs}

"""A spiking model that lives on between timesteps: streaming input, carried state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.derive.chunk import to_chunk
from onnx2snn.ir.derive.step import initial_states, to_step
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.backends import Backend, find_backend
from onnx2snn.runtime.backends.choice import AUTO, chosen
from onnx2snn.runtime.runs.chunks import check_samples
from onnx2snn.runtime.runs.head import Head


class Simulator:
    """Advances a spiking model by one timestep per call: for event cameras, audio, control.

    Takes any spiking model, in either layout, and any batch. In the folded layout all backends
    work on it as in a whole run, the event engine too; the scan layout runs in onnxruntime. The
    outputs after t timesteps are those of a run of t timesteps.

    Args:
        model: the spiking model.
        backend: name of the backend; ``auto`` picks one (``backends/choice.py``).
        threads: 0 lets the backend decide.

    Raises:
        SimulationError: the backend is unknown or unavailable.
    """

    def __init__(self, model: SpikingModel, *, backend: str = AUTO, threads: int = 0) -> None:
        self._model = model
        found = find_backend(chosen(backend, model))
        scan = model.manifest.layout == "scan"
        self._one: _Step | _Chunk = (_Step if scan else _Chunk)(model, found, threads)
        self.reset()

    @property
    def timestep(self) -> int:
        """Return the number of timesteps since the last reset."""
        return self._timestep

    def reset(self) -> None:
        """Forget everything: the next step is timestep 1."""
        self._states: Tensors = {}
        self._timestep = 0
        self._batch = 0

    def keep(self, samples: NDArray[np.bool_] | NDArray[np.integer]) -> None:
        """Go on with some samples of the batch: those that are not finished, for example.

        Args:
            samples: a mask [N], or the indices of the samples that stay.

        Raises:
            SimulationError: the batch axis of the model is not free, or nothing ran yet.
        """
        if self._model.manifest.layout == "scan":
            raise SimulationError(
                "the samples of this model's batch cannot be told apart",
                remedy="run its samples one by one",
            )
        if self._timestep == 0:
            raise SimulationError("there is no batch yet", remedy="call step() first")
        kept = np.arange(self._batch)[samples]
        self._states = {name: values[kept] for name, values in self._states.items()}
        self._batch = len(kept)

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
        given = dict(x) if isinstance(x, Mapping) else {self._model.inputs[0]: x}
        if set(given) != set(self._model.inputs):
            raise SimulationError(
                f"the model has the inputs {', '.join(self._model.inputs)}; got {', '.join(given)}",
                remedy="hand in one array per input",
            )
        feeds = check_samples(self._model, given)
        batch = len(next(iter(feeds.values())))
        if self._timestep == 0:
            self._states = self._one.blank(feeds)
            self._batch = batch
        elif batch != self._batch:
            raise SimulationError(
                f"the batch size changed from {self._batch} to {batch} at timestep "
                f"{self._timestep + 1}",
                remedy="call reset() before another batch, or keep() for a part of this one",
            )
        outputs, self._states = self._one.advance(feeds, self._timestep + 1, self._states)
        self._timestep += 1
        return outputs


class _Chunk:
    """One timestep as a chunk of one: for the folded layout, on any backend."""

    def __init__(self, model: SpikingModel, backend: Backend, threads: int) -> None:
        self._model = model
        self._chunk = to_chunk(model)
        self._body = backend.load(self._chunk.body, threads=threads)
        self._head = Head(self._chunk.head, model.outputs, backend, threads)

    def blank(self, feeds: Tensors) -> Tensors:
        """Return the states before the first timestep."""
        return dict(initial_states(self._model, self._chunk, feeds))

    def advance(self, feeds: Tensors, t: int, states: Tensors) -> tuple[Tensors, Tensors]:
        """Return the outputs and the states after timestep t."""
        clock = np.array([t], dtype=np.int64)
        results = self._body.run({**feeds, self._chunk.clock: clock, **states})
        after = {state.input: results[state.output] for state in self._chunk.states}
        values = {name: results[name] for name in self._chunk.values}
        return self._head.outputs(values, feeds), after


class _Step:
    """One timestep by the step model: for any layout."""

    def __init__(self, model: SpikingModel, backend: Backend, threads: int) -> None:
        self._model = model
        self._step = to_step(model)
        self._loaded = backend.load(self._step.proto, threads=threads)

    def blank(self, feeds: Tensors) -> Tensors:
        """Return the states before the first timestep."""
        return dict(initial_states(self._model, self._step, feeds))

    def advance(self, feeds: Tensors, t: int, states: Tensors) -> tuple[Tensors, Tensors]:
        """Return the outputs and the states after timestep t."""
        clock = np.asarray(t, dtype=np.int64)
        results = self._loaded.run({**feeds, self._step.clock: clock, **states})
        after = {state.input: results[state.output] for state in self._step.states}
        return {name: results[name] for name in self._model.outputs}, after

"""What every operator of the ONNX domain ``onnx2snn`` has: a name, a numpy law and three bodies.

A *stream* is a tensor whose leading axis folds time into the batch, T-major: ``[T*N, ...]`` holds
timestep 1 of all N samples, then timestep 2, and so on. Its running sum ``C_t = x_1 + ... + x_t``
divided by the gain ``g_t = min(t, S)`` estimates the value of an ANN tensor (S: stimulus steps).

Each operator exists in four ONNX forms that mean the same thing:

* ``sequence_body``: the whole stream at once; this is what a ``.snn.onnx`` file carries.
* ``step_body``: one timestep, state as explicit inputs and outputs (streaming).
* ``chunk_body``: some timesteps, from any one on, state as explicit inputs and outputs.
* ``settled_body``: the value the operator converges to once the net is silent. A file whose
  bodies are all settled is the *quantised ANN on the same grid* (the PTQ row).

and once in numpy (``step``), slow and obvious: the judge of the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import onnx
from onnx import parser

from onnx2snn.ir.ops.chunk_body import chunk_function
from onnx2snn.ir.ops.domain import DOMAIN, OPSET
from onnx2snn.ir.types import Array, Parameters, State


class SpikingOp(ABC):
    """One operator of the domain ``onnx2snn``.

    Attributes:
        name: the ONNX ``op_type``.
        inputs: formal inputs of the sequence body; the first is the stream.
        state: names of the state tensors carried from one timestep to the next.
        attributes: float attributes with their defaults.
    """

    name: str
    inputs: tuple[str, ...]
    state: ClassVar[tuple[str, ...]] = ()
    attributes: ClassVar[Mapping[str, float]] = {}

    @abstractmethod
    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return the state before the first timestep, given one timestep of input [N, ...]."""

    @abstractmethod
    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Advance one timestep.

        Args:
            x: input of timestep t, float32 [N, ...].
            state: one array per name in ``state``.
            t: the timestep, counted from 1.
            parameters: the remaining inputs and attributes by formal name.

        Returns:
            The output of timestep t and the next state.
        """

    @abstractmethod
    def sequence_body(self) -> onnx.FunctionProto:
        """Return the ONNX function that processes a whole stream."""

    @abstractmethod
    def step_body(self) -> onnx.FunctionProto:
        """Return the ONNX function that processes one timestep with explicit state."""

    @abstractmethod
    def settled_body(self) -> onnx.FunctionProto:
        """Return the ONNX function of the settled value; same signature as the sequence body."""

    def chunk_body(self) -> onnx.FunctionProto:
        """Return the ONNX function that processes some timesteps with explicit state.

        A Scan over the step body. ``clock`` holds the timesteps, int64 [K], counted from 1; the
        stream is [K*N, *F]. States pass the Scan flat: older onnxruntime needs known ranks.
        """
        return chunk_function(self)

    @property
    def chunk_name(self) -> str:
        """Return the ``op_type`` of the chunk body."""
        return f"{self.name}_Chunk"

    @property
    def chunk_inputs(self) -> tuple[str, ...]:
        """Return the formal inputs of the chunk body: ``timesteps`` gives way to ``clock``."""
        rest = tuple("clock" if name == "timesteps" else name for name in self.inputs[1:])
        return (self.inputs[0], *self.state, *rest)

    @property
    def step_name(self) -> str:
        """Return the ``op_type`` of the step body."""
        return f"{self.name}_Step"

    @property
    def step_inputs(self) -> tuple[str, ...]:
        """Return the formal inputs of the step body: ``timesteps`` gives way to ``t``."""
        rest = tuple("t" if name == "timesteps" else name for name in self.inputs[1:])
        return (self.inputs[0], *self.state, *rest)

    def sequence(self, x: Array, parameters: Parameters) -> Array:
        """Run ``step`` over a folded stream [T*N, ...] and return the folded output."""
        timesteps = int(parameters["timesteps"])
        steps = x.reshape(timesteps, x.shape[0] // timesteps, *x.shape[1:])
        state = self.initial_state(steps[0], parameters)
        outputs = []
        for t in range(1, timesteps + 1):
            y, state = self.step(steps[t - 1], state, t, parameters)
            outputs.append(y)
        return np.concatenate(outputs, axis=0)

    def chunk(
        self, x: Array, state: State, clock: Sequence[int], parameters: Parameters
    ) -> tuple[Array, State]:
        """Run ``step`` over the timesteps of ``clock``; x is their stream [K*N, *F].

        Returns:
            The folded output and the state after the last timestep.
        """
        steps = x.reshape(len(clock), x.shape[0] // len(clock), *x.shape[1:])
        outputs = []
        for t, step in zip(clock, steps, strict=True):
            y, state = self.step(step, state, int(t), parameters)
            outputs.append(y)
        return np.concatenate(outputs, axis=0), state


def gain(t: int, parameters: Parameters) -> np.float32:
    """Return g_t = min(t, S): the number of stimulus steps seen by timestep t."""
    return np.float32(min(t, int(parameters["stimulus"])))


def function(text: str) -> onnx.FunctionProto:
    """Parse an ONNX function of the domain ``onnx2snn`` from ``signature { body }`` text."""
    header = f'<domain: "{DOMAIN}", opset_import: ["": {OPSET}]>\n'
    return parser.parse_function(header + text)


UNFOLD = """
  one = Constant <value_ints = [1]> ()
  rest = Constant <value_ints = [-1]> ()
  steps = Reshape (timesteps, one)
  shape = Shape (x)
  rows = Shape <start = 0, end = 1> (x)
  features = Shape <start = 1> (x)
  batch = Div (rows, steps)
  unfolded = Concat <axis = 0> (steps, batch, rest)
  sample = Concat <axis = 0> (one, features)
  row = Constant <value_ints = [1, -1]> ()
"""
"""Shapes shared by all sequence bodies: x is [T*N, *F]; unfolded is [T, N, prod F]."""

GAINS = """
  first = Constant <value_int = 1> ()
  end = Add (timesteps, first)
  clock = Range (first, end, first)
  capped = Min (clock, stimulus)
  gains_flat = Cast <to = 1> (capped)
  column = Constant <value_ints = [-1, 1, 1]> ()
  gains = Reshape (gains_flat, column)
"""
"""g_1 .. g_T as float32 [T, 1, 1]."""

STEP_GAIN = """
  capped = Min (t, stimulus)
  g = Cast <to = 1> (capped)
"""
"""g_t of one timestep as a float32 scalar; ``t`` counts from 1."""

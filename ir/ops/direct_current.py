"""Direct-current encoder: the input itself, shown for the S stimulus steps, then nothing.

    y[t] = x [t <= S]

Law: y sums to S x, so the value of the stream is x at every timestep.
Source: Rueckauer et al. 2017 (analog input current). Followed by a graded neuron on the input's
own grid it is bit-plane coding: 8-bit images pass without loss, as spikes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from onnx2snn.ir.ops.base import SpikingOp, function
from onnx2snn.ir.types import Array, Parameters, State

_GATED = """
  shown = LessOrEqual (clock, stimulus)
  gate_flat = Cast <to = 1> (shown)
  column = Constant <value_ints = [-1, 1]> ()
  gate = Reshape (gate_flat, column)
  row = Constant <value_ints = [1, -1]> ()
  flat = Reshape (x, row)
  repeated = Mul (gate, flat)
  rest = Constant <value_ints = [-1]> ()
  features = Shape <start = 1> (x)
  folded = Concat <axis = 0> (rest, features)
  y = Reshape (repeated, folded)
"""
"""From ``clock`` [T], the timesteps, to x gated and repeated, time folded into the batch."""


class DirectCurrent(SpikingOp):
    """Turns a tensor [N, *F] into a stream [T*N, *F]; inputs x, ``timesteps``, ``stimulus``."""

    name = "DirectCurrent"
    inputs = ("x", "timesteps", "stimulus")

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return the empty state."""
        return ()

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Return x during the stimulus, zeros afterwards."""
        shown = np.float32(t <= int(parameters["stimulus"]))
        return np.asarray(x * shown, dtype=np.float32), state

    def sequence(self, x: Array, parameters: Parameters) -> Array:
        """Repeat x over the T timesteps of the stream, gated by the stimulus."""
        return self.chunk(x, (), range(1, int(parameters["timesteps"]) + 1), parameters)[0]

    def sequence_body(self) -> onnx.FunctionProto:
        """Multiply x by a gate per timestep and fold time into the batch."""
        return function(f"""DirectCurrent (x, timesteps, stimulus) => (y) {{
  first = Constant <value_int = 1> ()
  end = Add (timesteps, first)
  clock = Range (first, end, first)
{_GATED}}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Gate one timestep."""
        return function("""DirectCurrent_Step (x, t, stimulus) => (y) {
  shown = LessOrEqual (t, stimulus)
  gate = Cast <to = 1> (shown)
  y = Mul (x, gate)
}""")

    def chunk(
        self, x: Array, state: State, clock: Sequence[int], parameters: Parameters
    ) -> tuple[Array, State]:
        """Repeat x over the timesteps of the clock, gated by the stimulus."""
        steps = [self.step(x, state, int(t), parameters)[0] for t in clock]
        return np.concatenate(steps, axis=0), state

    def chunk_body(self) -> onnx.FunctionProto:
        """Multiply x by a gate per timestep of the clock and fold time into the batch."""
        return function(f"""DirectCurrent_Chunk (x, clock, stimulus) => (y) {{
{_GATED}}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Return x."""
        return function("DirectCurrent (x, timesteps, stimulus) => (y) { y = Identity (x) }")

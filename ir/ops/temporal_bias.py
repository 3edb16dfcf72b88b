"""Temporal bias: a constant current of its own for each timestep, by channel or by neuron.

    y[t] = x[t] + b[t]   for t <= K, else x[t]            b: table [K, *F']

It stands in front of a neuron. The table is made for one number of timesteps, K; in a longer run
the further timesteps get nothing. A table of one row is an initial potential: charge that is there
before the first spike.
Law: y sums to the sum of x plus the sum of the rows seen, so the value moves by
(b[1] + .. + b[T]) / g_T.
Source: Wu et al., ECCV 2024 (forward temporal bias correction).
"""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn.ir.ops.base import UNFOLD, SpikingOp, function
from onnx2snn.ir.types import Array, Parameters, State

_SIGNATURE = "(x, table, timesteps, stimulus) => (y)"
_ROWS = """
  zero = Constant <value_int = 0> ()
  one_row = Constant <value_ints = [1]> ()
  from_row = Constant <value_ints = [0]> ()
  row_axis = Constant <value_ints = [0]> ()
"""


class TemporalBias(SpikingOp):
    """Adds a row of a table at each timestep.

    Inputs: the stream x [T*N, *F]; ``table`` [K, *F'], F' of the rank of F and broadcastable to
    it; T and S. No state but the clock.
    """

    name = "TemporalBias"
    inputs = ("x", "table", "timesteps", "stimulus")

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return the empty state."""
        return ()

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Add row t, as long as there is one."""
        table = np.asarray(parameters["table"], np.float32)
        bias = table[t - 1] if t <= len(table) else np.zeros_like(table[0])
        return np.asarray(x + bias, np.float32), state

    def sequence_body(self) -> onnx.FunctionProto:
        """Add a row to every sample of each timestep."""
        return function(f"""{self.name} {_SIGNATURE} {{
{UNFOLD}{_ROWS}
  known = Shape <start = 0, end = 1> (table)
  row_features = Shape <start = 1> (table)
  blank_shape = Concat <axis = 0> (one_row, row_features)
  blank = ConstantOfShape (blank_shape)
  extended = Concat <axis = 0> (table, blank)
  first = Constant <value_int = 1> ()
  clock = Range (zero, timesteps, first)
  rows_used = Min (clock, known)
  biases = Gather <axis = 0> (extended, rows_used)
  sample_axis = Constant <value_ints = [1]> ()
  lifted = Unsqueeze (biases, sample_axis)
  by_step = Concat <axis = 0> (steps, batch, features)
  currents = Reshape (x, by_step)
  biased = Add (currents, lifted)
  y = Reshape (biased, shape)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Add row t, or the row of zeros behind the last."""
        return function(f"""{self.step_name} (x, table, t, stimulus) => (y) {{
{_ROWS}
  first = Constant <value_int = 1> ()
  known = Shape <start = 0, end = 1> (table)
  row_features = Shape <start = 1> (table)
  blank_shape = Concat <axis = 0> (one_row, row_features)
  blank = ConstantOfShape (blank_shape)
  extended = Concat <axis = 0> (table, blank)
  before = Sub (t, first)
  index = Min (before, known)
  bias = Gather <axis = 0> (extended, index)
  y = Add (x, bias)
}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Return x + (b[1] + .. + b[T]) / S."""
        return function(f"""{self.name} {_SIGNATURE} {{
{_ROWS}
  last = Reshape (timesteps, one_row)
  seen = Slice (table, from_row, last, row_axis)
  total = ReduceSum <keepdims = 1> (seen, row_axis)
  g = Cast <to = 1> (stimulus)
  bias = Div (total, g)
  y = Add (x, bias)
}}""")

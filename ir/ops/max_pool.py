"""Max-pooling of streams: three spiking rewrites of MaxPool.

``IncrementMaxPool``, on the spike counts n_t of unit-spike neurons that share one quantum per
channel:

    y[t] = q (maxpool(n_t) - maxpool(n_{t-1}))

a spike is emitted iff the window's highest count rises (or, for signed spikes, falls): binary
input gives binary output, and the output sums to the pooled activation exactly. It telescopes like
LIPooling (Li & Zeng, IJCAI 2022) but for any kernel, stride, padding and ceil mode.

``MembraneMaxPool``, on currents, in front of a neuron with a non-decreasing soma:

    y[t] = maxpool(C_t + g_t c) - maxpool(C_{t-1} + g_{t-1} c),   C_t = x_1 + ... + x_t

``GatedMaxPool``, the winner-take-all gate (Rueckauer et al. 2017, sec. 2.2.4; Hu, Tang, Pan 2018):

    y[t] = x[t] of the unit with the highest C_t in its window

which is cheap but not exact: the winner may change and its earlier spikes are not taken back.

Law of the first two: the sum of y up to t is the max-pool of the value so far, at every t.
The momentary currents are never max-pooled: sum_t max_i >= max_i sum_t is biased upwards.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx

from onnx2snn.ir.ops.base import GAINS, UNFOLD, SpikingOp, function
from onnx2snn.ir.ops.pool_windows import pool_windows, pool_winners
from onnx2snn.ir.types import Array, Parameters, State

POOL_ATTRIBUTES = ("kernel_shape", "strides", "pads", "dilations", "ceil_mode")
_DECLARED = "<kernel_shape, strides, pads, dilations, ceil_mode>"
_POOL = """MaxPool <kernel_shape: ints = @kernel_shape, strides: ints = @strides,
    pads: ints = @pads, dilations: ints = @dilations, ceil_mode: int = @ceil_mode>"""
_DIFFERENCE = """
  highest_steps = Reshape (highest, unfolded)
  blank_shape = Shape <start = 1> (highest_steps)
  blank = ConstantOfShape (blank_shape)
  axis = Constant <value_ints = [0]> ()
  before = Unsqueeze (blank, axis)
  start = Constant <value_ints = [0]> ()
  stop = Constant <value_ints = [-1]> ()
  earlier = Slice (highest_steps, start, stop, axis)
  shifted = Concat <axis = 0> (before, earlier)
  rises = Sub (highest_steps, shifted)
  out_shape = Shape (highest)
  increments = Reshape (rises, out_shape)
"""


class _MaxPool(SpikingOp):
    """State and layout shared by the pools: the accumulated input and the pool of it so far."""

    state: ClassVar[tuple[str, ...]] = ("charge", "highest")

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return zero charge and the (zero) pool of it."""
        zero = np.zeros_like(x)
        return (zero, np.zeros_like(pool_windows(zero, parameters)))


class IncrementMaxPool(_MaxPool):
    """Pools spike counts; inputs x, ``quantum`` (per channel), ``timesteps``."""

    name = "IncrementMaxPool"
    inputs = ("x", "quantum", "timesteps")

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Emit the rise of each window's highest count, times the quantum."""
        quantum = np.asarray(parameters["quantum"], dtype=np.float32)
        charge = state[0] + np.round(x / quantum)
        highest = pool_windows(charge, parameters)
        return np.asarray((highest - state[1]) * quantum, np.float32), (charge, highest)

    def sequence_body(self) -> onnx.FunctionProto:
        """Cumulative counts, one MaxPool over the folded stream, differences in time."""
        return function(f"""{self.name} {_DECLARED} (x, quantum, timesteps) => (y) {{
{UNFOLD}
  emitted = Div (x, quantum)
  counts = Round (emitted)
  counts_steps = Reshape (counts, unfolded)
  time = Constant <value_int = 0> ()
  totals_steps = CumSum (counts_steps, time)
  totals = Reshape (totals_steps, shape)
  highest = {_POOL} (totals)
{_DIFFERENCE}
  y = Mul (increments, quantum)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Pool the counts of one timestep with explicit state."""
        return function(f"""{self.step_name} {_DECLARED} (x, charge, highest, quantum, t)
=> (y, charged, pooled) {{
  emitted = Div (x, quantum)
  counts = Round (emitted)
  charged = Add (charge, counts)
  pooled = {_POOL} (charged)
  rise = Sub (pooled, highest)
  y = Mul (rise, quantum)
}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Return MaxPool(x)."""
        return function(
            f"{self.name} {_DECLARED} (x, quantum, timesteps) => (y) {{ y = {_POOL} (x) }}"
        )


class MembraneMaxPool(_MaxPool):
    """Pools accumulated currents; inputs x, ``current``, ``timesteps``, ``stimulus``."""

    name = "MembraneMaxPool"
    inputs = ("x", "current", "timesteps", "stimulus")

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Emit the increment of the pooled accumulated current."""
        charge = state[0] + x
        g = np.float32(min(t, int(parameters["stimulus"])))
        current = np.asarray(parameters["current"], dtype=np.float32)
        highest = pool_windows(np.asarray(charge + g * current, np.float32), parameters)
        return np.asarray(highest - state[1], np.float32), (charge, highest)

    def sequence_body(self) -> onnx.FunctionProto:
        """Cumulative currents, one MaxPool over the folded stream, differences in time."""
        return function(f"""{self.name} {_DECLARED} (x, current, timesteps, stimulus) => (y) {{
{UNFOLD}{GAINS}
  current_full = Expand (current, sample)
  current_row = Reshape (current_full, row)
  currents = Reshape (x, unfolded)
  time = Constant <value_int = 0> ()
  charges = CumSum (currents, time)
  drive = Mul (gains, current_row)
  totals_steps = Add (charges, drive)
  totals = Reshape (totals_steps, shape)
  highest = {_POOL} (totals)
{_DIFFERENCE}
  y = Identity (increments)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Pool the current of one timestep with explicit state."""
        return function(f"""{self.step_name} {_DECLARED} (x, charge, highest, current, t, stimulus)
=> (y, charged, pooled) {{
  capped = Min (t, stimulus)
  g = Cast <to = 1> (capped)
  charged = Add (charge, x)
  drive = Mul (g, current)
  total = Add (charged, drive)
  pooled = {_POOL} (total)
  y = Sub (pooled, highest)
}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Return MaxPool(x + c)."""
        return function(f"""{self.name} {_DECLARED} (x, current, timesteps, stimulus) => (y) {{
  total = Add (x, current)
  y = {_POOL} (total)
}}""")


class GatedMaxPool(_MaxPool):
    """Passes the spike of the unit with the highest accumulated input; inputs x, ``timesteps``."""

    name = "GatedMaxPool"
    inputs = ("x", "timesteps")
    state: ClassVar[tuple[str, ...]] = ("charge",)

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return zero accumulated input."""
        return (np.zeros_like(x),)

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Pass the winner's spike of this timestep."""
        charge = state[0] + x
        winners = pool_winners(charge, parameters)
        return np.asarray(x.reshape(-1)[winners], np.float32), (charge,)

    def sequence_body(self) -> onnx.FunctionProto:
        """Cumulative input, indices of the winners over the folded stream, gather."""
        return function(f"""{self.name} {_DECLARED} (x, timesteps) => (y) {{
{UNFOLD}
  steps_x = Reshape (x, unfolded)
  time = Constant <value_int = 0> ()
  charges_steps = CumSum (steps_x, time)
  charges = Reshape (charges_steps, shape)
  highest, winners = {_POOL} (charges)
  flat = Reshape (x, rest)
  y = Gather (flat, winners)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Gate one timestep with explicit accumulated input."""
        return function(f"""{self.step_name} {_DECLARED} (x, charge, t) => (y, charged) {{
  charged = Add (charge, x)
  highest, winners = {_POOL} (charged)
  rest = Constant <value_ints = [-1]> ()
  flat = Reshape (x, rest)
  y = Gather (flat, winners)
}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Return MaxPool(x): what an ideal gate passes."""
        return function(f"{self.name} {_DECLARED} (x, timesteps) => (y) {{ y = {_POOL} (x) }}")


__all__ = ["POOL_ATTRIBUTES", "GatedMaxPool", "IncrementMaxPool", "MembraneMaxPool"]

"""Estimate, Increment and Hold: the lift of any operator f onto streams.

    y[t] = g_t f(C_t / g_t + c) - g_{t-1} f(C_{t-1} / g_{t-1} + c)

The lift telescopes: the running sum of y is f of the current estimate, at every t. It is written
as three steps, so that f stays the ordinary ONNX node (or nodes) it was:

* ``Estimate``: stream -> the estimate C_t / g_t + c after every timestep, [T*N, *F];
* f, on estimates, any standard operator, constants included;
* ``Increment``: estimates -> stream, y[t] = g_t v_t - g_{t-1} v_{t-1}.

``Hold`` shows a raw tensor (token ids, masks) unchanged at every timestep. Estimates and what is
computed from them are analog: a neuron follows before the next synapse.
Source: METHODS of differential coding, Huang et al., ICML 2025 (y_t = t [f(r_t) - f(r_{t-1})]);
expectation compensation, Huang et al. 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import onnx

from onnx2snn.ir.ops.base import GAINS, STEP_GAIN, UNFOLD, SpikingOp, function, gain
from onnx2snn.ir.ops.read_out import running_sequence, running_step
from onnx2snn.ir.types import Array, Parameters, State


class Estimate(SpikingOp):
    """The value a stream stands for, after every timestep; takes x, ``current``, T and S."""

    name = "Estimate"
    inputs = ("x", "current", "timesteps", "stimulus")
    state: ClassVar[tuple[str, ...]] = ("charge",)

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return zero accumulated charge."""
        return (np.zeros_like(x),)

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Accumulate and divide by the gain."""
        charge = state[0] + x
        value = charge / gain(t, parameters) + np.asarray(parameters["current"], np.float32)
        return np.asarray(value, dtype=np.float32), (charge,)

    def sequence_body(self) -> onnx.FunctionProto:
        """Cumulative sum over time, divided by the gains."""
        return running_sequence(self.name)

    def step_body(self) -> onnx.FunctionProto:
        """Accumulate one timestep with explicit charge."""
        return running_step(self.step_name)

    def settled_body(self) -> onnx.FunctionProto:
        """Return x + c."""
        return function(
            f"{self.name} (x, current, timesteps, stimulus) => (y) {{ y = Add (x, current) }}"
        )


class Increment(SpikingOp):
    """The stream whose running estimate is x[t] at every t; takes x, T and S."""

    name = "Increment"
    inputs = ("x", "timesteps", "stimulus")
    state: ClassVar[tuple[str, ...]] = ("before",)

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return zero: the stream starts from silence."""
        return (np.zeros_like(x),)

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Emit what has changed since the last timestep."""
        now = np.asarray(x * gain(t, parameters), dtype=np.float32)
        return now - state[0], (now,)

    def sequence_body(self) -> onnx.FunctionProto:
        """Differences in time of the gained estimates."""
        return function(f"""{self.name} (x, timesteps, stimulus) => (y) {{
{UNFOLD}{GAINS}
  estimates = Reshape (x, unfolded)
  now = Mul (estimates, gains)
  blank_shape = Shape <start = 1> (now)
  blank = ConstantOfShape (blank_shape)
  axis = Constant <value_ints = [0]> ()
  silence = Unsqueeze (blank, axis)
  start = Constant <value_ints = [0]> ()
  stop = Constant <value_ints = [-1]> ()
  earlier = Slice (now, start, stop, axis)
  before = Concat <axis = 0> (silence, earlier)
  change = Sub (now, before)
  y = Reshape (change, shape)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Emit the change of one timestep with the explicit value before."""
        return function(f"""{self.step_name} (x, before, t, stimulus) => (y, now) {{
{STEP_GAIN}
  now = Mul (x, g)
  y = Sub (now, before)
}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Return x."""
        return function(f"{self.name} (x, timesteps, stimulus) => (y) {{ y = Identity (x) }}")


class Hold(SpikingOp):
    """A raw tensor [N, *F] of any type, repeated for every timestep [T*N, *F]; takes x and T."""

    name = "Hold"
    inputs = ("x", "timesteps")

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return the empty state."""
        return ()

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Return x."""
        return x, state

    def sequence(self, x: Array, parameters: Parameters) -> Array:
        """Repeat x over the T timesteps."""
        return np.concatenate([x] * int(parameters["timesteps"]), axis=0)

    def sequence_body(self) -> onnx.FunctionProto:
        """Tile x along the batch axis."""
        return function(f"""{self.name} (x, timesteps) => (y) {{
  shape = Shape (x)
  zero = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  rest = Shape <start = 1> (x)
  zeros = Mul (rest, zero)
  ones = Add (zeros, one)
  steps = Reshape (timesteps, one)
  repeats = Concat <axis = 0> (steps, ones)
  y = Tile (x, repeats)
}}""")

    def chunk(
        self, x: Array, state: State, clock: Sequence[int], parameters: Parameters
    ) -> tuple[Array, State]:
        """Repeat x over the timesteps of the clock."""
        return np.concatenate([x] * len(clock), axis=0), state

    def chunk_body(self) -> onnx.FunctionProto:
        """Tile x along the batch axis."""
        return function(f"""{self.chunk_name} (x, clock) => (y) {{
  zero = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  rest = Shape <start = 1> (x)
  zeros = Mul (rest, zero)
  ones = Add (zeros, one)
  steps = Shape (clock)
  repeats = Concat <axis = 0> (steps, ones)
  y = Tile (x, repeats)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Return x."""
        return function(f"{self.step_name} (x, t) => (y) {{ y = Identity (x) }}")

    def settled_body(self) -> onnx.FunctionProto:
        """Return x."""
        return function(f"{self.name} (x, timesteps) => (y) {{ y = Identity (x) }}")

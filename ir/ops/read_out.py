"""Read-out: the value a stream stands for.

    y[t] = (x_1 + ... + x_t) / g_t + c            g_t = min(t, S)

``ReadOut`` gives y[T], [N, *F]; ``RunningReadOut`` gives every y[t], [T*N, *F], so one run yields
the whole curve against timesteps. The constant part c of the segment is added exactly once.
Law: for a constant stream x the read-out is x + c at every t <= S.
Source: accumulated output current, e.g. Rueckauer et al. 2017, sec. 2.2.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx

from onnx2snn.ir.ops.base import GAINS, STEP_GAIN, UNFOLD, SpikingOp, function, gain
from onnx2snn.ir.types import Array, Parameters, State


def running_sequence(name: str) -> onnx.FunctionProto:
    """Return the body of y[t] = C_t / g_t + c over a whole stream."""
    return function(f"""{name} (x, current, timesteps, stimulus) => (y) {{
{UNFOLD}{GAINS}
  currents = Reshape (x, unfolded)
  axis = Constant <value_int = 0> ()
  charges = CumSum (currents, axis)
  values = Div (charges, gains)
  folded = Reshape (values, shape)
  y = Add (folded, current)
}}""")


def running_step(name: str) -> onnx.FunctionProto:
    """Return the body of y[t] = C_t / g_t + c for one timestep with explicit charge."""
    return function(f"""{name} (x, charge, current, t, stimulus) => (y, integrated) {{
{STEP_GAIN}
  integrated = Add (charge, x)
  value = Div (integrated, g)
  y = Add (value, current)
}}""")


class RunningReadOut(SpikingOp):
    """The decoded value after every timestep; takes x, ``current``, T and S."""

    name = "RunningReadOut"
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


class ReadOut(RunningReadOut):
    """The decoded value after the last timestep."""

    name = "ReadOut"

    def sequence(self, x: Array, parameters: Parameters) -> Array:
        """Return the running read-out of the last timestep, [N, *F]."""
        timesteps = int(parameters["timesteps"])
        running = super().sequence(x, parameters)
        return running[-(x.shape[0] // timesteps) :]

    def sequence_body(self) -> onnx.FunctionProto:
        """Sum over time, divided by the gain of the last timestep."""
        return function(f"""ReadOut (x, current, timesteps, stimulus) => (y) {{
{UNFOLD}
  capped = Min (timesteps, stimulus)
  g = Cast <to = 1> (capped)
  currents = Reshape (x, unfolded)
  axis = Constant <value_ints = [0]> ()
  charge = ReduceSum <keepdims = 0> (currents, axis)
  value = Div (charge, g)
  single = Concat <axis = 0> (batch, features)
  shaped = Reshape (value, single)
  y = Add (shaped, current)
}}""")

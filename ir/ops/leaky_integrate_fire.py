"""Leaky integrate-and-fire neuron with soft reset: what came long ago counts less.

    m[t] = gamma v[t-1] + x[t] + c [t <= S]                v[0] = 0
    s[t] = H(m[t] - q)                                     H(0) = 1: fires at equality
    v[t] = m[t] - q s[t],   y[t] = q s[t]

Laws: with gamma = 1 it is ``IntegrateFire`` with v_0 = 0; a constant input fires for good iff it
reaches (1 - gamma) q; charge that leaks is lost, so the sum of y falls short of the sum of x by
v[T] + (1 - gamma) (v[1] + ... + v[T-1]).

A leaky neuron forgets, so its output says how much came lately and not how much came in all: it is
a read-out (class scores), not an activation. The settled form is what it emits on average when
each of the S stimulus steps brings the same x: it runs the T timesteps on that.

Source: He et al. 2024 (seed 3), eq. 18, with eqs. 3 and 4.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx

from onnx2snn.ir.ops.base import UNFOLD, SpikingOp, function
from onnx2snn.ir.types import Array, Parameters, State

_FIRE = """decayed = Mul (leak_row, potential)
      driven = Add (i, drive)
      membrane = Add (decayed, driven)
      fires = GreaterOrEqual (membrane, quantum_row)
      fired = Cast <to = 1> (fires)
      spikes = Mul (fired, quantum_row)
      remaining = Sub (membrane, spikes)"""
"""ONNX text of one timestep, from ``potential``, ``i`` and ``drive``."""


class LeakyIntegrateFire(SpikingOp):
    """At most one positive spike of size ``quantum``; takes x, quantum, current, leak, T and S.

    ``quantum``, ``current`` and ``leak`` (gamma, in [0, 1]) are float32 and broadcastable to
    [1, *F].
    """

    name = "LeakyIntegrateFire"
    inputs = ("x", "quantum", "current", "leak", "timesteps", "stimulus")
    state: ClassVar[tuple[str, ...]] = ("potential",)

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return a membrane potential of zero."""
        return (np.zeros_like(x),)

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Leak, integrate, fire, subtract."""
        quantum = np.asarray(parameters["quantum"], np.float32)
        leak = np.asarray(parameters["leak"], np.float32)
        shown = np.float32(t <= int(parameters["stimulus"]))
        driven = x + np.asarray(parameters["current"], np.float32) * shown
        membrane = leak * state[0] + driven
        spikes = np.asarray(membrane >= quantum, np.float32) * quantum
        return np.asarray(spikes, np.float32), (np.asarray(membrane - spikes, np.float32),)

    def settled(self, x: Array, parameters: Parameters) -> Array:
        """Return the mean emission on x at every stimulus step; the form of ``settled_body``."""
        timesteps, stimulus = int(parameters["timesteps"]), int(parameters["stimulus"])
        shown = [np.asarray(x * np.float32(t <= stimulus)) for t in range(1, timesteps + 1)]
        emitted = self.sequence(np.concatenate(shown), parameters)
        total = emitted.reshape(timesteps, *x.shape).sum(axis=0, dtype=np.float32)
        return np.asarray(total / np.float32(min(timesteps, stimulus)), np.float32)

    def sequence_body(self) -> onnx.FunctionProto:
        """Scan the neuron over the T timesteps of the stream."""
        return function(f"""{self._signature(self.name)} {{
{UNFOLD}{_gates(3)}
  quantum_full = Expand (quantum, sample)
  quantum_row = Reshape (quantum_full, row)
  current_full = Expand (current, sample)
  current_row = Reshape (current_full, row)
  leak_full = Expand (leak, sample)
  leak_row = Reshape (leak_full, row)
  drives = Mul (current_row, gates)
  currents = Reshape (x, unfolded)
  flat_shape = Shape <start = 1> (currents)
  blank = ConstantOfShape (flat_shape)
  last, emitted = Scan <num_scan_inputs = 2, body = neuron
    (float[b, n] potential, float[b, n] i, float[1, n] drive)
    => (float[b, n] remaining, float[b, n] spikes) {{
      {_FIRE}
    }}> (blank, currents, drives)
  y = Reshape (emitted, shape)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Advance one timestep with explicit membrane potential."""
        states = "(x, potential, quantum, current, leak, t, stimulus)"
        return function(f"""{self.step_name} {states} => (y, remaining) {{
  shown = LessOrEqual (t, stimulus)
  gate = Cast <to = 1> (shown)
  drive = Mul (current, gate)
  quantum_row = Identity (quantum)
  leak_row = Identity (leak)
  i = Identity (x)
  {_FIRE}
  y = Identity (spikes)
}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Scan the neuron over T timesteps of one constant input and average."""
        return function(f"""{self._signature(self.name)} {{
  row = Constant <value_ints = [1, -1]> ()
  rest = Constant <value_ints = [-1]> ()
  one = Constant <value_ints = [1]> ()
  shape = Shape (x)
  rows = Shape <start = 0, end = 1> (x)
  features = Shape <start = 1> (x)
  sample = Concat <axis = 0> (one, features)
  flat = Concat <axis = 0> (rows, rest)
{_gates(3)}
  quantum_full = Expand (quantum, sample)
  quantum_row = Reshape (quantum_full, row)
  current_full = Expand (current, sample)
  current_row = Reshape (current_full, row)
  leak_full = Expand (leak, sample)
  leak_row = Reshape (leak_full, row)
  drives = Mul (current_row, gates)
  value = Reshape (x, flat)
  shown_values = Mul (value, gates)
  flat_shape = Shape (value)
  blank = ConstantOfShape (flat_shape)
  last, emitted = Scan <num_scan_inputs = 2, body = neuron
    (float[b, n] potential, float[b, n] i, float[1, n] drive)
    => (float[b, n] remaining, float[b, n] spikes) {{
      {_FIRE}
    }}> (blank, shown_values, drives)
  axis = Constant <value_ints = [0]> ()
  total = ReduceSum <keepdims = 0> (emitted, axis)
  capped = Min (timesteps, stimulus)
  g = Cast <to = 1> (capped)
  mean = Div (total, g)
  y = Reshape (mean, shape)
}}""")

    def _signature(self, name: str) -> str:
        return f"{name} ({', '.join(self.inputs)}) => (y)"


def _gates(rank: int) -> str:
    """Return ONNX text for ``gates``, [t <= S] for every timestep, as [T, 1, ...] of this rank."""
    column = ", ".join(["-1", *["1"] * (rank - 1)])
    return f"""
  first = Constant <value_int = 1> ()
  end = Add (timesteps, first)
  clock = Range (first, end, first)
  shown = LessOrEqual (clock, stimulus)
  gates_flat = Cast <to = 1> (shown)
  column = Constant <value_ints = [{column}]> ()
  gates = Reshape (gates_flat, column)
"""

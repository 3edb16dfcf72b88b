"""Poisson rate coding: random unit spikes whose probability is the size of the input.

    i[t] = x[t] + c [t <= S]
    s[t] = sign(i[t]) [r[t, k] < 2^24 |i[t]| / q]       r uniform in 0 .. 2^24 - 1, y[t] = q s[t]

Every timestep is an independent Bernoulli trial with p = min(|i| / q, 1): the count of T steps is
binomial, with mean T p and variance T p (1 - p) (a Poisson process observed at most once a
timestep, hence the name that the literature uses). Positive and negative inputs give spikes of
either sign. Law: the expected value of the stream is x + c where |x + c| <= q; the standard
deviation of the value after S timesteps is q sqrt(p (1 - p) / S).

The numbers r are a hash of (seed, timestep, position in the sample); see
:mod:`onnx2snn.ir.ops.counter_hash`. They do not depend on the place in the batch: a sample gives
the same spikes alone and among others.

Source: He et al. 2024, eq. 17 (seed 3); Rueckauer et al. 2017 (Poisson input).
"""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn.ir.ops.base import UNFOLD, SpikingOp, function
from onnx2snn.ir.ops.counter_hash import FIELD, RANDOM_BITS, random_field
from onnx2snn.ir.types import Array, Parameters, State

STEPS = np.float32(2**RANDOM_BITS)

_FIRES = f"""
  unit = Constant <value_float = 1.0> ()
  resolution = Constant <value_float = {float(STEPS)!r}> ()
  size = Abs (intensity)
  share = Div (size, quantum_row)
  bar = Mul (share, resolution)
  fires = Less (field, bar)
  fired = Cast <to = 1> (fires)
  sign = Sign (intensity)
  emission = Mul (fired, sign)
  emitted = Mul (emission, quantum_row)
"""
"""ONNX text from ``intensity``, ``field`` and ``quantum_row`` to ``emitted``."""

_SIGNATURE = "(x, quantum, current, seed, timesteps, stimulus) => (y)"

_INTENSITY = f"""{UNFOLD}
  quantum_full = Expand (quantum, sample)
  quantum_row = Reshape (quantum_full, row)
  current_full = Expand (current, sample)
  current_row = Reshape (current_full, row)
  first = Constant <value_int = 1> ()
  end = Add (timesteps, first)
  clock = Range (first, end, first)
  column = Constant <value_ints = [-1, 1, 1]> ()
  time = Reshape (clock, column)
  shown = LessOrEqual (time, stimulus)
  gate = Cast <to = 1> (shown)
  drive = Mul (current_row, gate)
  currents = Reshape (x, unfolded)
  intensity = Add (currents, drive)
"""
"""ONNX text of ``intensity`` [T, N, prod F] over a whole stream."""


class PoissonSpikes(SpikingOp):
    """Bernoulli spikes of size ``quantum``; takes x, quantum, current, seed, T and S.

    ``quantum`` and ``current`` are float32 and broadcastable to [1, *F]; ``seed`` is an int64
    scalar.
    """

    name = "PoissonSpikes"
    inputs = ("x", "quantum", "current", "seed", "timesteps", "stimulus")

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return the empty state: the random numbers are a function of the timestep."""
        return ()

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Compare the size of the input with the random numbers of timestep t."""
        quantum = np.asarray(parameters["quantum"], np.float32)
        shown = np.float32(t <= int(parameters["stimulus"]))
        intensity = x + np.asarray(parameters["current"], np.float32) * shown
        field = random_field(int(parameters["seed"]), t, int(np.prod(x.shape[1:])))
        bar = np.abs(intensity) / quantum * STEPS
        fired = np.asarray(field.reshape(1, *x.shape[1:]) < bar, np.float32)
        return np.asarray(fired * np.sign(intensity) * quantum, np.float32), state

    def sequence_body(self) -> onnx.FunctionProto:
        """Compare every timestep with its own random numbers; no loop."""
        return function(f"""{self.name} {_SIGNATURE} {{
{_INTENSITY}
  positions = Size (quantum_row)
{FIELD}
  field = Identity (numbers)
{_FIRES}
  y = Reshape (emitted, shape)
}}""")

    def expected_body(self) -> onnx.FunctionProto:
        """Return the expected value of every timestep: its input, clipped; same signature."""
        return function(f"""{self.name} {_SIGNATURE} {{
{_INTENSITY}
  least = Neg (quantum_row)
  above = Max (intensity, least)
  clipped = Min (above, quantum_row)
  y = Reshape (clipped, shape)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Compare one timestep with its random numbers."""
        return function(f"""{self.step_name} (x, quantum, current, seed, t, stimulus) => (y) {{
  quantum_row = Identity (quantum)
  one = Constant <value_ints = [1]> ()
  shown = LessOrEqual (t, stimulus)
  gate = Cast <to = 1> (shown)
  drive = Mul (current, gate)
  intensity = Add (x, drive)
  features = Shape <start = 1> (x)
  sample = Concat <axis = 0> (one, features)
  quantum_full = Expand (quantum, sample)
  positions = Size (quantum_full)
  time = Identity (t)
{FIELD}
  field = Reshape (numbers, sample)
{_FIRES}
  y = Identity (emitted)
}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Return the expected value: x + c, clipped to [-quantum, quantum]."""
        return function(f"""{self.name} {_SIGNATURE} {{
  intensity = Add (x, current)
  least = Neg (quantum)
  above = Max (intensity, least)
  y = Min (above, quantum)
}}""")

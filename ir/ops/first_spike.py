"""Latency coding: one spike per input, the earlier the greater its size (time to first spike).

The window of W slots stands for the sizes W, W - 1, ... 1 (in slots): a size of n slots fires at
timestep W - n + 1. That is a neuron whose threshold falls by one slot a timestep and that fires
once:

    z[t] = (x[1] + ... + x[t]) / g_t + c                          g_t = min(t, S)
    n[t] = min(floor(|z[t]| S / q + 1/2), W)                      size in slots, rounded
    s[t] = sign(z[t])  iff  t <= W, n[t] >= W - t + 1, and it has not fired before
    y[t] = q (W - t + 1) s[t]                                     the decoding weight of slot t

q is the charge of one slot: S range / W. The weight W - t + 1 makes the sum of the stream what the
time says: it is what a constant current of one slot from the spike to the end of the window would
bring in (Rueckauer and Liu 2018), delivered at once, so one spike is one event.

Laws, for a constant input of S steps: at most one spike per input; a greater size never fires
later; the decoded value differs from x + c by at most half a slot, range / (2 W), up to the range,
and inputs below half a slot stay silent. The value is complete after W timesteps and not before.

Sources: seed 3 (He et al. 2024), sec. 3; falling threshold: Rueckauer and Liu, ISCAS 2018 ("TTFS
dyn-thresh"), Park et al., DAC 2020 (T2FSNN; there the kernel is exponential, here it is linear).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx

from onnx2snn.ir.ops.base import GAINS, STEP_GAIN, UNFOLD, SpikingOp, function, gain
from onnx2snn.ir.types import Array, Parameters, State

_SIZE = """
  half = Constant <value_float = 0.5> ()
  slots = Cast <to = 1> (window)
  steps_shown = Cast <to = 1> (stimulus)
  per_charge = Div (steps_shown, quantum)
  magnitude = Abs (estimate)
  scaled = Mul (magnitude, per_charge)
  raised = Add (scaled, half)
  floored = Floor (raised)
  size = Min (floored, slots)
"""
"""ONNX text of n, from ``estimate``."""


class FirstSpike(SpikingOp):
    """At most one spike per input; takes x, quantum, current, window, T and S.

    ``quantum`` and ``current`` are float32 and broadcastable to [1, *F]; ``window`` W is an int64
    scalar. S must not depend on T.
    """

    name = "FirstSpike"
    inputs = ("x", "quantum", "current", "window", "timesteps", "stimulus")
    state: ClassVar[tuple[str, ...]] = ("charge", "fired")

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return zero charge, and that nothing has fired."""
        return (np.zeros_like(x), np.zeros_like(x))

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Fire where the falling threshold has come down to the size, once."""
        charge, fired = state
        charge = charge + x
        window = np.float32(parameters["window"])
        quantum = np.asarray(parameters["quantum"], np.float32)
        z = charge / gain(t, parameters) + np.asarray(parameters["current"], np.float32)
        left = window - np.float32(t) + np.float32(1)
        reached = (self._size(z, parameters) >= left) & (left >= 1)
        fires = np.asarray(reached, np.float32) * (1 - fired)
        weight = np.asarray(quantum * left, np.float32)
        return np.asarray(fires * np.sign(z) * weight, np.float32), (charge, fired + fires)

    def _size(self, z: Array, parameters: Parameters) -> Array:
        per_charge = np.float32(parameters["stimulus"]) / np.asarray(
            parameters["quantum"], np.float32
        )
        size = np.floor(np.abs(z) * per_charge + np.float32(0.5))
        return np.asarray(np.minimum(size, np.float32(parameters["window"])), np.float32)

    def settled(self, x: Array, parameters: Parameters) -> Array:
        """Return the decoded value of x; the numpy form of ``settled_body``."""
        z = x + np.asarray(parameters["current"], np.float32)
        charge = self._size(z, parameters) * np.asarray(parameters["quantum"], np.float32)
        return np.asarray(np.sign(z) * charge / np.float32(parameters["stimulus"]), np.float32)

    def sequence_body(self) -> onnx.FunctionProto:
        """Compare every timestep with the falling threshold; the first of each input fires."""
        signature = "(x, quantum, current, window, timesteps, stimulus) => (y)"
        return function(f"""{self.name} {signature} {{
{UNFOLD}{GAINS}
  currents = Reshape (x, unfolded)
  axis = Constant <value_int = 0> ()
  charges = CumSum (currents, axis)
  flat_values = Div (charges, gains)
  values = Reshape (flat_values, shape)
  estimate = Add (values, current)
{_SIZE}
  unit = Constant <value_float = 1.0> ()
  elapsed_flat = Cast <to = 1> (clock)
  elapsed = Reshape (elapsed_flat, column)
  still = Sub (slots, elapsed)
  left = Add (still, unit)
  sizes = Reshape (size, unfolded)
  reached = GreaterOrEqual (sizes, left)
  open = GreaterOrEqual (left, unit)
  both = And (reached, open)
  candidates = Cast <to = 1> (both)
  earlier = CumSum <exclusive = 1> (candidates, axis)
  none = Constant <value_float = 0.0> ()
  is_first = Equal (earlier, none)
  chosen = And (both, is_first)
  fires_unfolded = Cast <to = 1> (chosen)
  fires = Reshape (fires_unfolded, shape)
  sign = Sign (estimate)
  spikes = Mul (fires, sign)
  quantum_full = Expand (quantum, sample)
  quantum_row = Reshape (quantum_full, row)
  weights = Mul (quantum_row, left)
  spikes_unfolded = Reshape (spikes, unfolded)
  emitted = Mul (spikes_unfolded, weights)
  y = Reshape (emitted, shape)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Compare one timestep, with explicit charge and what has fired."""
        states = "(x, charge, fired, quantum, current, window, t, stimulus)"
        return function(f"""{self.step_name} {states} => (y, integrated, has_fired) {{
{STEP_GAIN}
  integrated = Add (charge, x)
  value = Div (integrated, g)
  estimate = Add (value, current)
{_SIZE}
  unit = Constant <value_float = 1.0> ()
  elapsed = Cast <to = 1> (t)
  still = Sub (slots, elapsed)
  left = Add (still, unit)
  reached = GreaterOrEqual (size, left)
  open = GreaterOrEqual (left, unit)
  both = And (reached, open)
  candidates = Cast <to = 1> (both)
  silent = Sub (unit, fired)
  fires = Mul (candidates, silent)
  has_fired = Add (fired, fires)
  sign = Sign (estimate)
  spikes = Mul (fires, sign)
  weight = Mul (quantum, left)
  y = Mul (spikes, weight)
}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Return x + c rounded to slots and bounded by the window."""
        signature = "(x, quantum, current, window, timesteps, stimulus) => (y)"
        return function(f"""{self.name} {signature} {{
  estimate = Add (x, current)
{_SIZE}
  sign = Sign (estimate)
  charge = Mul (size, quantum)
  signed = Mul (sign, charge)
  y = Div (signed, steps_shown)
}}""")

"""Neurons with a schedule: silent at first, and switched off once they have nothing left to say.

    o[t] = [t > t_0] (1 - off[t-1])               may the neuron emit?
    s[t] = o[t] * (what the neuron without a schedule would emit)
    off[t] = off[t-1] or (switch_off and t > max(S, t_0) and s[t] = 0)

``silent_steps`` (t_0): the neuron integrates from the start and keeps silent until t_0 is over.
With t_0 = hold * depth of the layer, and a hold as long as the levels and the stimulus, every
layer starts only after the layers before it have finished. So no spike is premature, and even a
binary neuron ends exactly at

    n = clip(floor(X / theta + v_0), 0, n_max)

which is the law of this file. A shorter hold still saves events that would be taken back.

``switch_off`` (0 or 1): in the timesteps after the stimulus a neuron that does not fire, its
potential being below the threshold, is switched off for good. What it accumulated before is worked
off; what arrives later is not.

A scheduled binary neuron keeps the bound n_max, which it needs because the run is longer than the
stimulus.

Source: the hold is the layer-synchronous schedule of two-phase neurons (TPP, PASCAL, SRP and COS
wait in the same way); switching off is prolonged simulation as in the talk that the preset
``seed:prolonged`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from onnx2snn.ir.ops.graded_integrate_fire import GradedIntegrateFire
from onnx2snn.ir.ops.integrate_fire import IntegrateFire
from onnx2snn.ir.ops.neuron import Neuron
from onnx2snn.ir.ops.signed_integrate_fire import SignedIntegrateFire
from onnx2snn.ir.types import Array, Parameters, State

SCHEDULE: Mapping[str, float] = {"silent_steps": 0.0, "switch_off": 0.0}
"""The attributes of a schedule and their defaults: none."""


class Scheduled(Neuron):
    """What the schedule adds to a neuron."""

    state: ClassVar[tuple[str, ...]] = ("charge", "count", "off")
    next_state: ClassVar[tuple[str, ...]] = ("integrated", "counted", "switched")
    attributes: ClassVar[Mapping[str, float]] = SCHEDULE
    emitted: ClassVar[str] = "gated"
    uses_clock: ClassVar[bool] = True

    @property
    def constants(self) -> str:
        """Return the neuron's constants, the schedule and the first timestep of switching off."""
        return f"""{super().constants}
  silent = Constant <value_float: float = @silent_steps> ()
  switching = Constant <value_float: float = @switch_off> ()
  shown = Cast <to = 1> (stimulus)
  late_after = Max (shown, silent)
  nothing = Constant <value_float = 0.0> ()
"""

    def update_nodes(self) -> str:
        """Return ONNX text: the gate, the count, and who is switched off."""
        return """awake = Greater (now, silent)
      may = Cast <to = 1> (awake)
      still = Sub (unit, off)
      open = Mul (may, still)
      gated = Mul (emission, open)
      counted = Add (count, gated)
      late = Greater (now, late_after)
      late_one = Cast <to = 1> (late)
      rests = Equal (gated, nothing)
      rest_one = Cast <to = 1> (rests)
      leaves = Mul (late_one, rest_one)
      dropped = Mul (leaves, switching)
      switched = Max (off, dropped)"""

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Integrate, compare, emit if the schedule allows it, switch off."""
        charge, count, off = state
        silent = np.float32(parameters.get("silent_steps", np.float32(0)))
        switching = np.float32(parameters.get("switch_off", np.float32(0)))
        integrated, level = self.receive(x, charge, t, parameters)
        may = np.float32(t > silent) * (np.float32(1) - off)
        emission = self.emit(level, count, parameters) * may
        late = np.float32(t > max(float(parameters["stimulus"]), float(silent)))
        leaves = late * switching * (emission == 0)
        quantum = np.asarray(parameters["quantum"], dtype=np.float32)
        following = (integrated, count + emission, np.maximum(off, leaves).astype(np.float32))
        return np.asarray(emission * quantum, np.float32), following


class ScheduledIntegrateFire(Scheduled, IntegrateFire):
    """The binary neuron with a schedule; at most n_max spikes."""

    kind = "ScheduledIntegrateFire"
    attributes: ClassVar[Mapping[str, float]] = {**IntegrateFire.attributes, **SCHEDULE}

    def emit_nodes(self) -> str:
        """Return ONNX text: one spike iff the level is a quantum above the count, up to n_max."""
        return """potential = Sub (level, count)
      fires = GreaterOrEqual (potential, unit)
      wish = Cast <to = 1> (fires)
      wished = Add (count, wish)
      bounded = Min (wished, n_max)
      emission = Sub (bounded, count)"""

    def emit(self, level: Array, count: Array, parameters: Parameters) -> Array:
        """Return 1 where the potential reaches the threshold and the count is below n_max."""
        wish = super().emit(level, count, parameters)
        return np.asarray(np.minimum(count + wish, np.float32(parameters["n_max"])) - count)

    def settle_nodes(self) -> str:
        """Return ONNX text: at most n_max spikes and one per timestep, never a negative one."""
        return """floored = Floor (level)
  steps = Cast <to = 1> (timesteps)
  most = Min (steps, n_max)
  none = Constant <value_float = 0.0> ()
  total = Clip (floored, none, most)"""

    def settle(self, level: Array, parameters: Parameters) -> Array:
        """Return the settled count: at most n_max spikes and one per timestep."""
        most = np.minimum(np.float32(parameters["timesteps"]), np.float32(parameters["n_max"]))
        return np.asarray(np.clip(np.floor(level), np.float32(0), most), dtype=np.float32)


class ScheduledSignedIntegrateFire(Scheduled, SignedIntegrateFire):
    """The ternary neuron with a schedule."""

    kind = "ScheduledSignedIntegrateFire"
    attributes: ClassVar[Mapping[str, float]] = {**SignedIntegrateFire.attributes, **SCHEDULE}


class ScheduledGradedIntegrateFire(Scheduled, GradedIntegrateFire):
    """The graded neuron with a schedule."""

    kind = "ScheduledGradedIntegrateFire"


__all__ = [
    "SCHEDULE",
    "Scheduled",
    "ScheduledGradedIntegrateFire",
    "ScheduledIntegrateFire",
    "ScheduledSignedIntegrateFire",
]

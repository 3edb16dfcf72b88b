"""Binary integrate-and-fire neuron with hard reset (the potential starts again from zero).

    u[t] = v[t-1] + i[t] + c [t <= S]
    s[t] = H(u[t] - theta)            with H(0) = 1: fires at equality
    v[t] = 0 if s[t] else u[t]        v[0] = initial_potential * theta, y[t] = theta s[t]

In the terms of :mod:`onnx2snn.ir.ops.neuron` the neuron remembers ``base``, the level at its last
spike: it fires iff level - base >= 1, and then base = level.

Law: every spike loses the charge above the threshold, so the neuron emits at most what the same
neuron with soft reset would. It is there for comparison and for hardware that resets to zero.
Source: Cao et al. 2015, doi:10.1007/s11263-014-0788-3; the loss is analysed by Rueckauer et al.
2017, doi:10.3389/fnins.2017.00682, eq. 3 and 5.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from onnx2snn.ir.ops.integrate_fire import IntegrateFire
from onnx2snn.ir.types import Array, Parameters, State


class HardResetIntegrateFire(IntegrateFire):
    """At most one positive spike per timestep, which empties the membrane; bounds are not used."""

    kind = "HardResetIntegrateFire"
    state: ClassVar[tuple[str, ...]] = ("charge", "base")
    next_state: ClassVar[tuple[str, ...]] = ("integrated", "rebased")

    def emit_nodes(self) -> str:
        """Return ONNX text: one spike iff the level has risen a quantum above the last spike's."""
        return """potential = Sub (level, base)
      fires = GreaterOrEqual (potential, unit)
      emission = Cast <to = 1> (fires)"""

    def update_nodes(self) -> str:
        """Return ONNX text: a spike moves the base to the level."""
        return "rebased = Where (fires, level, base)"

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Integrate, compare, emit, empty the membrane."""
        charge, base = state
        integrated, level = self.receive(x, charge, t, parameters)
        emission = self.emit(level, base, parameters)
        quantum = np.asarray(parameters["quantum"], dtype=np.float32)
        return emission * quantum, (integrated, np.where(emission > 0, level, base))

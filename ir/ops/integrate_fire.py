"""Binary integrate-and-fire neuron with soft reset (reset by subtraction).

    u[t] = v[t-1] + i[t] + c [t <= S]
    s[t] = H(u[t] - theta)            with H(0) = 1: fires at equality
    v[t] = u[t] - theta s[t]          v[0] = initial_potential * theta, y[t] = theta s[t]

In the terms of :mod:`onnx2snn.ir.ops.neuron`: fires iff level - count >= 1.

Law: v[T] - v[0] = sum of inputs - sum of outputs (charge is conserved).
Source: Rueckauer et al. 2017, doi:10.3389/fnins.2017.00682, eq. 4 (reset by subtraction);
v[0] = theta / 2: Bu et al., AAAI 2022 (optimised potential initialisation).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from onnx2snn.ir.ops.neuron import Neuron
from onnx2snn.ir.somas import LINEAR, Soma
from onnx2snn.ir.types import Array, Parameters


class IntegrateFire(Neuron):
    """At most one positive spike of size ``quantum`` per timestep; bounds are not used."""

    kind = "IntegrateFire"
    alphabet = "binary"
    attributes: ClassVar[Mapping[str, float]] = {"initial_potential": 0.5}

    def __init__(self, soma: Soma = LINEAR) -> None:
        super().__init__(soma)

    @property
    def constants(self) -> str:
        """Return the initial potential in units of the threshold, under the name ``half``."""
        return "half = Constant <value_float: float = @initial_potential> ()\n"

    def emit_nodes(self) -> str:
        """Return ONNX text: one spike iff the level has risen a whole quantum above the count."""
        return """potential = Sub (level, count)
      fires = GreaterOrEqual (potential, unit)
      emission = Cast <to = 1> (fires)"""

    def emit(self, level: Array, count: Array, parameters: Parameters) -> Array:
        """Return 1 where the potential reaches the threshold, else 0."""
        return np.asarray(level - count >= 1, dtype=np.float32)

    def settle_nodes(self) -> str:
        """Return ONNX text: at most one spike per timestep, never a negative one."""
        return """floored = Floor (level)
  most = Cast <to = 1> (timesteps)
  none = Constant <value_float = 0.0> ()
  total = Clip (floored, none, most)"""

    def settle(self, level: Array, parameters: Parameters) -> Array:
        """Return the settled count: at most one spike per timestep, never a negative one."""
        most = np.float32(parameters["timesteps"])
        return np.asarray(np.clip(np.floor(level), np.float32(0), most), dtype=np.float32)

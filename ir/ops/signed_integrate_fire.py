"""Ternary integrate-and-fire neuron with bounded memory (BIF, mBIF, ST-BIF).

    u[t] = v[t-1] + i[t] + c [t <= S]
    s[t] = +1  iff u[t] >= theta and n[t-1] < n_max
           -1  iff u[t] <  u_neg and n[t-1] > n_min
            0  otherwise
    n[t] = n[t-1] + s[t],  v[t] = u[t] - theta s[t],  y[t] = theta s[t]

``initial_potential`` (v[0]) and ``negative_threshold`` (u_neg) are attributes in units of theta.

Law: with v[0] = theta/2 and u_neg = 0 the neuron is at rest only if v is in [0, theta) or n at a
bound, so n = clip(floor(X / theta + 1/2), n_min, n_max): the quantised activation, exactly.
Settings: u_neg = -theta, n_min = 0 is mBIF (Wang et al., IJCAI 2022: signed neuron with memory);
unbounded n is BIF; u_neg = 0 with bounds is ST-BIF (You et al., ICML 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from onnx2snn.ir.ops.neuron import Neuron
from onnx2snn.ir.somas import LINEAR, Soma
from onnx2snn.ir.types import Array, Parameters


class SignedIntegrateFire(Neuron):
    """At most one spike of +-``quantum`` per timestep, the count kept in [n_min, n_max]."""

    kind = "SignedIntegrateFire"
    alphabet = "ternary"
    attributes: ClassVar[Mapping[str, float]] = {
        "initial_potential": 0.5,
        "negative_threshold": 0.0,
    }

    def __init__(self, soma: Soma = LINEAR) -> None:
        super().__init__(soma)

    @property
    def constants(self) -> str:
        """Return initial potential (``half``) and negative threshold in units of theta."""
        return """half = Constant <value_float: float = @initial_potential> ()
  below = Constant <value_float: float = @negative_threshold> ()
"""

    def emit_nodes(self) -> str:
        """Return ONNX text: +1, -1 or 0, then the bounds on the count."""
        return """potential = Sub (level, count)
      rises = GreaterOrEqual (potential, unit)
      falls = Less (potential, below)
      plus = Cast <to = 1> (rises)
      minus = Cast <to = 1> (falls)
      wish = Sub (plus, minus)
      wished = Add (count, wish)
      bounded = Clip (wished, n_min, n_max)
      emission = Sub (bounded, count)"""

    def emit(self, level: Array, count: Array, parameters: Parameters) -> Array:
        """Return +1, -1 or 0, never carrying the count past a bound."""
        below = np.float32(parameters.get("negative_threshold", np.float32(0.0)))
        potential = level - count
        wish = (potential >= 1).astype(np.float32) - (potential < below).astype(np.float32)
        low, high = np.float32(parameters["n_min"]), np.float32(parameters["n_max"])
        return np.asarray(np.clip(count + wish, low, high) - count, dtype=np.float32)

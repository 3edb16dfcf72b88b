"""Graded integrate-and-fire neuron: signed powers of two times the quantum, k digits a timestep.

    X[t] = X[t-1] + i[t]                          charge received
    n*   = clip(floor(f(X[t] + g_t c) / q + 1/2), n_min, n_max)
    d    = n* - n[t-1]
    s    = sign(d) 2^floor(log2(|d| / 0.75))      repeated k times on what is left of d
    n[t] = n[t-1] + s,   y[t] = q s

Law: the error |n* - n| shrinks at least threefold per digit; at rest y sums to q n*, which is the
quantised ANN's activation exactly. An emission of k digits counts as k events.
Source: the bounded count is ST-BIF (SpikeZIP-TF, You et al., ICML 2024); nearest of geometric
levels with ties at 0.75 is the multi-threshold neuron of ECMT (Huang et al. 2024) and DCGS
(Li et al., ICML 2025), here in sum semantics.

The power of two is found without a logarithm: for float32 p, ``t = p (2^23 + 1)`` and
``t - t (1 - 2^-24)`` is the unit in the first place of p, with p's sign (Rump, Ogita, Oishi 2008,
Algorithm 3.6). Division by 0.75 is a multiplication by float32(4/3), which lies above 4/3, so the
ties |d| = 3 * 2^j go up exactly as in the law.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.ir.ops.neuron import Neuron
from onnx2snn.ir.somas import LINEAR, Soma
from onnx2snn.ir.types import Array, Parameters

_ABOVE_FOUR_THIRDS = np.float32(4.0 / 3.0)
_SPLIT = np.float32(2.0**23 + 1.0)
_BELOW_ONE = np.float32(1.0 - 2.0**-24)


def digit(d: Array) -> Array:
    """Return sign(d) 2^floor(log2(|d| / 0.75)) for integers |d| < 2^22, and 0 for 0."""
    scaled = d * _ABOVE_FOUR_THIRDS
    split = scaled * _SPLIT
    return np.asarray(split - split * _BELOW_ONE, dtype=np.float32)


class GradedIntegrateFire(Neuron):
    """Signed power-of-two emissions, ``digits`` of them per timestep."""

    kind = "GradedIntegrateFire"

    def __init__(self, soma: Soma = LINEAR, digits: int = 1) -> None:
        self.digits = digits
        super().__init__(soma, suffix=f"_x{digits}" if digits > 1 else "")

    @property
    def constants(self) -> str:
        """Return the constants of rounding and of the power-of-two extraction."""
        return f"""half = Constant <value_float = 0.5> ()
  four_thirds = Constant <value_float = {float(_ABOVE_FOUR_THIRDS)!r}> ()
  split_factor = Constant <value_float = {float(_SPLIT)!r}> ()
  below_one = Constant <value_float = {float(_BELOW_ONE)!r}> ()
"""

    def emit_nodes(self) -> str:
        """Return ONNX text: the gap to the target, then k digits of it."""
        lines = [
            "floored = Floor (level)",
            "target = Clip (floored, n_min, n_max)",
            "gap_1 = Sub (target, count)",
        ]
        for k in range(1, self.digits + 1):
            lines += [
                f"scaled_{k} = Mul (gap_{k}, four_thirds)",
                f"split_{k} = Mul (scaled_{k}, split_factor)",
                f"tail_{k} = Mul (split_{k}, below_one)",
                f"digit_{k} = Sub (split_{k}, tail_{k})",
            ]
            if k < self.digits:
                lines.append(f"gap_{k + 1} = Sub (gap_{k}, digit_{k})")
        total = "digit_1"
        for k in range(2, self.digits + 1):
            lines.append(f"sum_{k} = Add ({total}, digit_{k})")
            total = f"sum_{k}"
        lines.append(f"emission = Identity ({total})")
        return "\n      ".join(lines)

    def emit(self, level: Array, count: Array, parameters: Parameters) -> Array:
        """Return the sum of k digits of the gap between the bounded target and the count."""
        target = np.clip(
            np.floor(level), np.float32(parameters["n_min"]), np.float32(parameters["n_max"])
        )
        gap = np.asarray(target - count, dtype=np.float32)
        total = np.zeros_like(gap)
        for _ in range(self.digits):
            emitted = digit(gap)
            gap = gap - emitted
            total = total + emitted
        return total

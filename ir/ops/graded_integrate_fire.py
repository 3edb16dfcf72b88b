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

The power of two is found without a logarithm. For float32 q that is no power of two itself,
``q - q (1 - 2^-24)`` is the unit in the last place of q, 2^(floor(log2 |q|) - 23), with q's sign
(Rump, Ogita, Oishi 2008, Algorithm 3.6). Here q = d K with K = 4/3 (2^23 + 1) = 11184812, an exact
float32, so the result is 2^floor(log2(|d| / 0.75)); the ties |d| = 3 * 2^j give q just above a
power of two and go up, as in the law. Exact for all integers |d| < 2^22.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.ir.ops.neuron import Neuron
from onnx2snn.ir.somas import LINEAR, Soma
from onnx2snn.ir.types import Array, Parameters

SPLIT_FACTOR = np.float32(4 * (2**23 + 1) // 3)
BELOW_ONE = np.float32(1.0 - 2.0**-24)


def digit(d: Array) -> Array:
    """Return sign(d) 2^floor(log2(|d| / 0.75)) for integers |d| < 2^22, and 0 for 0."""
    split = d * SPLIT_FACTOR
    return np.asarray(split - split * BELOW_ONE, dtype=np.float32)


class GradedIntegrateFire(Neuron):
    """Signed power-of-two emissions, ``digits`` of them per timestep."""

    kind = "GradedIntegrateFire"
    alphabet = "graded"

    def __init__(self, soma: Soma = LINEAR, digits: int = 1) -> None:
        self.digits = digits
        super().__init__(soma, suffix=f"_x{digits}" if digits > 1 else "")

    @property
    def constants(self) -> str:
        """Return the constants of rounding and of the power-of-two extraction."""
        return f"""half = Constant <value_float = 0.5> ()
  split_factor = Constant <value_float = {float(SPLIT_FACTOR)!r}> ()
  below_one = Constant <value_float = {float(BELOW_ONE)!r}> ()
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
                f"split_{k} = Mul (gap_{k}, split_factor)",
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

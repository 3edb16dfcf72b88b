"""What an activation rule says about a node: the neuron that can stand in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.ir.somas import LINEAR, Soma
from onnx2snn.ir.types import Array


@dataclass(frozen=True)
class Activation:
    """An activation in the terms of a neuron.

    Attributes:
        soma: the function applied to the accumulated input.
        lower: least value of the activation (0 for ReLU); -inf if unbounded.
        upper: greatest value of the activation; inf if unbounded.
        parameters: the soma's parameters, broadcastable to the tensor.
        levels: the activation is a staircase itself, of so many steps from 0 to ``upper``: the
            neuron takes over its steps and is exact. None for all others.
        readout_ok: the op may stay what it is, on decoded values, where no weights follow: the
            last Sigmoid of a classifier is no neuron.
    """

    soma: Soma = LINEAR
    lower: float = -np.inf
    upper: float = np.inf
    parameters: dict[str, Array] = field(default_factory=dict)
    levels: int | None = None
    readout_ok: bool = False

    @property
    def signed(self) -> bool:
        """Whether negative emissions are needed."""
        return self.lower < 0

    @property
    def monotone(self) -> bool:
        """Whether the activation is non-decreasing, so that max-pooling commutes with it."""
        slopes = [self.parameters.get(name) for name in ("slope", "alpha")]
        rising = all(slope is None or bool((slope >= 0).all()) for slope in slopes)
        return self.soma.monotone and rising

    def describe(self) -> str:
        """Return what the neuron computes, in a word or two."""
        steps = f"{self.levels}-level " if self.levels is not None else ""
        bounds = f"[{self.lower:g}, {self.upper:g}]"
        if self.soma.name:
            return f"{steps}{self.soma.name}"
        if self.lower == 0.0:
            return f"{steps}ReLU" if np.isinf(self.upper) else f"{steps}clipped {bounds}"
        return f"{steps}linear" if not np.isfinite((self.lower, self.upper)).any() else bounds


ActivationRule = Callable[[gs.Node], Activation | None]
"""Returns the activation a node computes, or None if the rule does not know it."""

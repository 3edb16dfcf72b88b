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
    """

    soma: Soma = LINEAR
    lower: float = -np.inf
    upper: float = np.inf
    parameters: dict[str, Array] = field(default_factory=dict)

    @property
    def signed(self) -> bool:
        """Whether negative emissions are needed."""
        return self.lower < 0

    @property
    def monotone(self) -> bool:
        """Whether the activation is non-decreasing, so that max-pooling commutes with it."""
        slopes = self.parameters.get("slope")
        return self.soma.monotone and (slopes is None or bool((slopes >= 0).all()))


ActivationRule = Callable[[gs.Node], Activation | None]
"""Returns the activation a node computes, or None if the rule does not know it."""

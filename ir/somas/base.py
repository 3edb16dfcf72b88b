"""The interface of a soma function f: the neuron's target is f(accumulated input) / quantum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onnx2snn.ir.types import Array, Parameters


@dataclass(frozen=True)
class Soma:
    """A pointwise function applied inside the neuron.

    Attributes:
        name: suffix of the neuron's ``op_type``; empty for the linear soma.
        parameters: extra inputs of the neuron, broadcastable to its input.
        homogeneous: whether g f(x / g) = f(x) for every gain g > 0, so that no division is needed.
        monotone: whether f is non-decreasing, so that max-pooling commutes with it.
        evaluate: the numpy function (z, parameters) -> f(z).
        nodes: ONNX text computing ``z_soma`` from ``z``; parameters by name.
    """

    name: str
    parameters: tuple[str, ...]
    homogeneous: bool
    monotone: bool
    evaluate: Callable[[Array, Parameters], Array]
    nodes: str

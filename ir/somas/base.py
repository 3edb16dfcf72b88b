"""The interface of a soma function f: the neuron's target is f(accumulated input) / quantum.

Where f(0) is not zero the neuron emits f(0) at the first timestep, input or not, and later only
what changes: its stream sums to f of the present estimate from the start. numpy and ONNX runtimes
round exp, tanh and erf differently in the last bit, so their emissions may differ where f lies on
a tie between two quanta; nowhere else.
"""

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

"""Neurons of the IR as attributes and emissions of fused layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.ops import GradedIntegrateFire, IntegrateFire, Neuron, SignedIntegrateFire
from onnx2snn.ir.types import Array
from onnx2snn.runtime.engine.shapes import Shape
from onnx2snn.runtime.engine.stream import Emissions

COMPILED_SOMAS = ("", "PRelu")
"""Somas that ``native/kernels/neuron_law.inc`` knows by name; the others run by their bodies."""

_KINDS = {IntegrateFire.kind: 1, SignedIntegrateFire.kind: 2, GradedIntegrateFire.kind: 3}


def is_compiled(op: Neuron) -> bool:
    """Whether the engine has the neuron; hard resets and schedules run by their bodies."""
    return op.kind in _KINDS and op.soma.name in COMPILED_SOMAS


def per_unit(op: Neuron) -> tuple[str, ...]:
    """Return the inputs that may differ from neuron to neuron."""
    return ("quantum", "current", *op.soma.parameters)


def per_channel(quantum: Array | None, shape: Shape | None) -> NDArray[np.float32] | None:
    """Return a quantum as one value for each channel; None if it differs inside a channel."""
    if quantum is None or shape is None or len(shape) not in (2, 3, 4):
        return None
    channels = shape[1]
    if channels is None or quantum.ndim > len(shape):
        return None
    aligned = quantum.reshape([1] * (len(shape) - quantum.ndim) + list(quantum.shape))
    if any(size != 1 for axis, size in enumerate(aligned.shape) if axis != 1):
        return None
    return np.ascontiguousarray(np.broadcast_to(aligned.reshape(-1), channels), dtype=np.float32)


def fits(values: Iterable[Array | None], shape: Shape | None) -> bool:
    """Say whether all parameters are constants that the engine can lay out."""
    rank = len(shape or ())
    return all(v is not None and (v.size == 1 or v.ndim == rank) for v in values)


def emissions_of(op: Neuron, tensor: str, quantum: NDArray[np.float32]) -> Emissions:
    """Return what a lowered neuron emits."""
    codes = not isinstance(op, GradedIntegrateFire) or op.digits == 1
    return Emissions(
        tensor,
        quantum,
        codes,
        unit=isinstance(op, IntegrateFire),
        ternary=not isinstance(op, GradedIntegrateFire),
    )


def law_of(op: Neuron, given: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that tell a fused layer which neuron it has."""
    law: dict[str, Any] = {"kind": _KINDS[op.kind], "leaky": int(bool(op.soma.name))}
    law["digits"] = op.digits if isinstance(op, GradedIntegrateFire) else 1
    return law | {name: float(given.get(name, default)) for name, default in op.attributes.items()}

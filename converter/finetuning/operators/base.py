"""How operators are written: operands and attributes as ONNX has them, torch tensors inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Operands = Sequence[Any]
"""Tensors in the order of the node's inputs; None where an optional one is left out."""
Attributes = Mapping[str, Any]
Operator = Callable[[Operands, Attributes], Any]
"""``(operands, attributes) -> result``, or a tuple of results."""


def optional(operands: Operands, index: int) -> Any:
    """Return an optional operand, or None."""
    return operands[index] if index < len(operands) else None


def integers(operand: Any) -> list[int]:
    """Return a small integer tensor as Python integers."""
    return [int(value) for value in operand.reshape(-1).tolist()]


def torch_pads(pads: Sequence[int]) -> list[int]:
    """Return ONNX pads (all begins, then all ends) in torch's order (last axis first)."""
    half = len(pads) // 2
    return [edge for axis in reversed(range(half)) for edge in (pads[axis], pads[half + axis])]

"""Pointwise arithmetic and activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name torch's own documentation uses)

from onnx2snn.converter.finetuning.operators.base import (
    Attributes,
    Operands,
    Operator,
    optional,
)


def _clip(operands: Operands, _: Attributes) -> Any:
    return torch.clamp(operands[0], optional(operands, 1), optional(operands, 2))


def _prelu(operands: Operands, _: Attributes) -> Any:
    x, slope = operands
    return torch.where(x < 0, x * slope, x)


def _hard_sigmoid(operands: Operands, attributes: Attributes) -> Any:
    alpha, beta = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
    return torch.clamp(alpha * operands[0] + beta, 0.0, 1.0)


def _plain(apply: Callable[..., Any]) -> Operator:
    """Return an operator that takes its operands as they are and has no attributes."""
    return lambda operands, _: apply(*operands)


POINTWISE: Mapping[str, Operator] = {
    "Add": _plain(torch.add),
    "Sub": _plain(torch.sub),
    "Mul": _plain(torch.mul),
    "Div": _plain(torch.div),
    "Pow": _plain(torch.pow),
    "Max": _plain(torch.maximum),
    "Min": _plain(torch.minimum),
    "Neg": _plain(torch.neg),
    "Abs": _plain(torch.abs),
    "Exp": _plain(torch.exp),
    "Log": _plain(torch.log),
    "Sqrt": _plain(torch.sqrt),
    "Reciprocal": _plain(torch.reciprocal),
    "Erf": _plain(torch.erf),
    "Where": _plain(torch.where),
    "Less": _plain(torch.lt),
    "LessOrEqual": _plain(torch.le),
    "Greater": _plain(torch.gt),
    "GreaterOrEqual": _plain(torch.ge),
    "Relu": _plain(F.relu),
    "LeakyRelu": lambda operands, a: F.leaky_relu(operands[0], a.get("alpha", 0.01)),
    "PRelu": lambda operands, _: torch.where(
        operands[0] < 0, operands[0] * operands[1], operands[0]
    ),
    "Clip": _clip,
    "Sigmoid": _plain(torch.sigmoid),
    "HardSigmoid": _hard_sigmoid,
    "Tanh": _plain(torch.tanh),
    "HardSwish": _plain(F.hardswish),
    "Gelu": lambda operands, a: F.gelu(operands[0], approximate=a.get("approximate", "none")),
    "Elu": lambda operands, a: F.elu(operands[0], a.get("alpha", 1.0)),
    "Selu": _plain(F.selu),
    "Celu": lambda operands, a: F.celu(operands[0], a.get("alpha", 1.0)),
    "Softplus": _plain(F.softplus),
    "Softsign": _plain(F.softsign),
    "Mish": _plain(F.mish),
    "Silu": lambda operands, a: operands[0] * torch.sigmoid(a["alpha"] * operands[0]),
}

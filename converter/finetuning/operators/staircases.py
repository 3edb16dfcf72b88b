"""Staircases: ClipFloor (QCFS) and LeakyClipFloor, with gradients through their steps.

Floor passes gradients on unchanged (straight-through estimator, Bengio et al. 2013; for QCFS Bu et
al., ICLR 2022, eq. 13-14).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from onnx2snn.converter.finetuning.operators.base import Attributes, Operands, Operator


def clip_floor(z: Any, theta: Any, levels: int) -> Any:
    """Return theta/L clip(floor(z L/theta + 1/2), 0, L)."""
    steps = _floor(z * (levels / theta) + 0.5)
    return torch.clamp(steps, 0, levels) * (theta / levels)


def leaky_clip_floor(z: Any, theta: Any, levels: int, negative_levels: int, alpha: float) -> Any:
    """Return theta/L clip(floor(h L/theta + 1/2), -M, L), h = max(z, 0) + alpha min(z, 0)."""
    leaky = torch.where(z < 0, z * alpha, z)
    steps = _floor(leaky * (levels / theta) + 0.5)
    return torch.clamp(steps, -negative_levels, levels) * (theta / levels)


def _floor(x: Any) -> Any:
    """Return floor(x) with the gradient of x."""
    return x + (torch.floor(x) - x).detach()


def _clip_floor(operands: Operands, attributes: Attributes) -> Any:
    return clip_floor(operands[0], operands[1], attributes["levels"])


def _leaky_clip_floor(operands: Operands, attributes: Attributes) -> Any:
    names = ("levels", "negative_levels", "alpha")
    return leaky_clip_floor(operands[0], operands[1], *(attributes[name] for name in names))


STAIRCASES: Mapping[str, Operator] = {
    "ClipFloor": _clip_floor,
    "LeakyClipFloor": _leaky_clip_floor,
}

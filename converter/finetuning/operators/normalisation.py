"""Normalisations, with the statistics of inference, and reductions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name torch's own documentation uses)

from onnx2snn.converter.finetuning.operators.base import (
    Attributes,
    Operands,
    Operator,
    integers,
    optional,
)


def _batch_norm(operands: Operands, attributes: Attributes) -> Any:
    x, scale, shift, mean, variance = operands
    return F.batch_norm(x, mean, variance, scale, shift, eps=attributes.get("epsilon", 1e-5))


def _layer_norm(operands: Operands, attributes: Attributes) -> Any:
    x, scale, shift = operands[0], operands[1], optional(operands, 2)
    shape = x.shape[attributes.get("axis", -1) % x.dim() :]
    normal = F.layer_norm(x, shape, eps=attributes.get("epsilon", 1e-5)) * scale
    return normal if shift is None else normal + shift


def _group_norm(operands: Operands, attributes: Attributes) -> Any:
    x, scale, shift = operands
    return F.group_norm(x, attributes["num_groups"], scale, shift, attributes.get("epsilon", 1e-5))


def _instance_norm(operands: Operands, attributes: Attributes) -> Any:
    x, scale, shift = operands
    return F.group_norm(x, x.shape[1], scale, shift, attributes.get("epsilon", 1e-5))


def _rms_norm(operands: Operands, attributes: Attributes) -> Any:
    x, scale = operands
    mean = (x * x).mean(dim=-1, keepdim=True)
    return x / torch.sqrt(mean + attributes["epsilon"]) * scale


def _reduce(apply: Callable[..., Any]) -> Operator:
    def reduce(operands: Operands, attributes: Attributes) -> Any:
        x, given = operands[0], optional(operands, 1)
        if given is None and attributes.get("noop_with_empty_axes", 0):
            return x
        axes = tuple(range(x.dim())) if given is None else tuple(integers(given))
        return apply(x, dim=axes, keepdim=bool(attributes.get("keepdims", 1)))

    return reduce


NORMALISATION: Mapping[str, Operator] = {
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "RMSNorm": _rms_norm,
    "Softmax": lambda operands, a: torch.softmax(operands[0], a.get("axis", -1)),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "ReduceMax": _reduce(torch.amax),
}

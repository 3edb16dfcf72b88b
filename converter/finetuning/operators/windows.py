"""Convolutions and pools: everything that slides a window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name torch's own documentation uses)

from onnx2snn.converter.finetuning.operators.base import (
    Attributes,
    Operands,
    Operator,
    optional,
    torch_pads,
)


def _padded(x: Any, attributes: Attributes, value: float) -> Any:
    """Pad the spatial axes as the attribute ``pads`` says."""
    pads = attributes.get("pads", [0])
    return F.pad(x, torch_pads(pads), value=value) if any(pads) else x


def _spatial(x: Any, attributes: Attributes, name: str) -> list[int]:
    """Return strides or dilations, 1 by default."""
    return list(attributes.get(name, [1] * (x.dim() - 2)))


def _convolve(operands: Operands, attributes: Attributes) -> Any:
    x, weight, bias = operands[0], operands[1], optional(operands, 2)
    apply = (F.conv1d, F.conv2d, F.conv3d)[x.dim() - 3]
    return apply(
        _padded(x, attributes, 0.0),
        weight,
        bias,
        stride=_spatial(x, attributes, "strides"),
        dilation=_spatial(x, attributes, "dilations"),
        groups=attributes.get("group", 1),
    )


def _convolve_transposed(operands: Operands, attributes: Attributes) -> Any:
    x, weight, bias = operands[0], operands[1], optional(operands, 2)
    rank = x.dim() - 2
    apply = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
    whole = apply(
        x,
        weight,
        bias,
        stride=_spatial(x, attributes, "strides"),
        output_padding=attributes.get("output_padding", [0] * rank),
        groups=attributes.get("group", 1),
        dilation=_spatial(x, attributes, "dilations"),
    )
    return F.pad(whole, [-edge for edge in torch_pads(attributes.get("pads", [0] * 2 * rank))])


def _average_pool(operands: Operands, attributes: Attributes) -> Any:
    (x,) = operands
    apply = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.dim() - 3]
    window = {
        "kernel_size": attributes["kernel_shape"],
        "stride": _spatial(x, attributes, "strides"),
        "ceil_mode": bool(attributes.get("ceil_mode", 0)),
    }
    mean = apply(_padded(x, attributes, 0.0), **window)
    if attributes.get("count_include_pad", 0) or not any(attributes.get("pads", [0])):
        return mean
    inside = _padded(torch.ones_like(x[:1, :1]), attributes, 0.0)
    return mean / apply(inside, **window)


def _max_pool(operands: Operands, attributes: Attributes) -> Any:
    (x,) = operands
    apply = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[x.dim() - 3]
    return apply(
        _padded(x, attributes, -torch.inf),
        attributes["kernel_shape"],
        _spatial(x, attributes, "strides"),
        dilation=_spatial(x, attributes, "dilations"),
        ceil_mode=bool(attributes.get("ceil_mode", 0)),
    )


def _global_average(operands: Operands, _: Attributes) -> Any:
    (x,) = operands
    return x.mean(dim=tuple(range(2, x.dim())), keepdim=True)


WINDOWS: Mapping[str, Operator] = {
    "Conv": _convolve,
    "ConvTranspose": _convolve_transposed,
    "AveragePool": _average_pool,
    "MaxPool": _max_pool,
    "GlobalAveragePool": _global_average,
}

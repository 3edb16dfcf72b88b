"""Operators that only move elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name torch's own documentation uses)

from onnx2snn.converter.finetuning.operators.base import (
    Attributes,
    Operands,
    Operator,
    integers,
    optional,
    torch_pads,
)


def _reshape(operands: Operands, attributes: Attributes) -> Any:
    x, shape = operands[0], integers(operands[1])
    if not attributes.get("allowzero", 0):
        shape = [x.shape[axis] if dim == 0 else dim for axis, dim in enumerate(shape)]
    return x.reshape(shape)


def _flatten(operands: Operands, attributes: Attributes) -> Any:
    (x,) = operands
    rows = 1
    for dim in x.shape[: attributes.get("axis", 1) % (x.dim() + 1)]:
        rows *= dim
    return x.reshape(rows, -1)


def _squeeze(operands: Operands, _: Attributes) -> Any:
    axes = optional(operands, 1)
    return operands[0].squeeze() if axes is None else operands[0].squeeze(tuple(integers(axes)))


def _unsqueeze(operands: Operands, _: Attributes) -> Any:
    x, axes = operands[0], integers(operands[1])
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _slice(operands: Operands, _: Attributes) -> Any:
    x, starts, ends = operands[0], integers(operands[1]), integers(operands[2])
    axes = range(len(starts)) if optional(operands, 3) is None else integers(operands[3])
    steps = [1] * len(starts) if optional(operands, 4) is None else integers(operands[4])
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        kept = range(x.shape[axis])[start:end:step]  # Python clamps as ONNX does
        x = x.index_select(axis % x.dim(), torch.tensor(list(kept), device=x.device))
    return x


def _split(operands: Operands, attributes: Attributes) -> Any:
    x, axis = operands[0], attributes.get("axis", 0)
    if optional(operands, 1) is not None:
        return x.split(integers(operands[1]), dim=axis)
    return x.split(-(-x.shape[axis] // attributes["num_outputs"]), dim=axis)


def _gather(operands: Operands, attributes: Attributes) -> Any:
    x, index = operands
    axis = attributes.get("axis", 0) % x.dim()
    flat = index.reshape(-1) % x.shape[axis]
    shape = (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
    return x.index_select(axis, flat).reshape(shape)


def _pad(operands: Operands, attributes: Attributes) -> Any:
    x, pads = operands[0], integers(operands[1])
    if optional(operands, 3) is not None:
        whole, axes = [0] * 2 * x.dim(), integers(operands[3])
        for index, axis in enumerate(axes):
            whole[axis % x.dim()] = pads[index]
            whole[x.dim() + axis % x.dim()] = pads[len(axes) + index]
        pads = whole
    mode = {"edge": "replicate"}.get(attributes.get("mode", "constant"), attributes.get("mode"))
    if mode in ("replicate", "reflect"):
        return F.pad(x, torch_pads(pads)[: 2 * (x.dim() - 2)], mode=mode)
    value = optional(operands, 2)
    return F.pad(x, torch_pads(pads), value=0.0 if value is None else float(value))


def _expand(operands: Operands, _: Attributes) -> Any:
    x, shape = operands[0], integers(operands[1])
    return x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(shape)))


def _shape(operands: Operands, attributes: Attributes) -> Any:
    dims = list(operands[0].shape)
    return torch.tensor(dims[attributes.get("start", 0) : attributes.get("end")])


def _resize(operands: Operands, attributes: Attributes) -> Any:
    x, scales = operands[0], optional(operands, 2)
    if scales is None:
        size = integers(operands[3])
    else:
        size = [int(n * s) for n, s in zip(x.shape, scales.tolist(), strict=True)]
    if attributes.get("mode", "nearest") != "linear":
        return F.interpolate(x, size=size[2:], mode=attributes.get("mode", "nearest"))
    mode = ("linear", "bilinear", "trilinear")[x.dim() - 3]
    corners = attributes.get("coordinate_transformation_mode") == "align_corners"
    return F.interpolate(x, size=size[2:], mode=mode, align_corners=corners)


MOVES: Mapping[str, Operator] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": lambda operands, a: operands[0].permute(
        a.get("perm", list(range(operands[0].dim()))[::-1])
    ),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": lambda operands, a: torch.cat(list(operands), dim=a["axis"]),
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Pad": _pad,
    "Expand": _expand,
    "Shape": _shape,
    "Resize": _resize,
    "Identity": lambda operands, _: operands[0],
}

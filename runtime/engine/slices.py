"""Slices and paddings of spikes: the shortcut without weights of a residual network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper

from onnx2snn.runtime.engine.attributes import attributes
from onnx2snn.runtime.engine.stream import ENGINE, Emissions

if TYPE_CHECKING:
    from onnx2snn.runtime.engine.lowering import Lowering

_OPEN = 2**31 - 1


def sliced(lowering: Lowering, node: onnx.NodeProto, spikes: Emissions) -> Emissions | None:
    """Return the spikes under a Slice or a zero Pad that leaves the rows of the stream alone."""
    shape = lowering.shape(node.input[0])
    if shape is None or spikes.flat or len(shape) < 2:
        return None
    if node.op_type == "Slice":
        return _slice(lowering, node, spikes, len(shape))
    return _pad(lowering, node, spikes, len(shape))


def _numbers(lowering: Lowering, node: onnx.NodeProto, place: int) -> list[int] | None:
    """Return an optional constant input as integers; None if it is absent or no constant."""
    if len(node.input) <= place or not node.input[place]:
        return None
    value = lowering.constant(node.input[place])
    return None if value is None else [int(number) for number in value.reshape(-1)]


def _slice(
    lowering: Lowering, node: onnx.NodeProto, spikes: Emissions, rank: int
) -> Emissions | None:
    starts, ends = _numbers(lowering, node, 1), _numbers(lowering, node, 2)
    if starts is None or ends is None:
        return None
    axes = _numbers(lowering, node, 3) or list(range(len(starts)))
    steps = _numbers(lowering, node, 4) or [1] * len(starts)
    axes = [axis % rank for axis in axes]
    if 0 in axes:
        return None
    quantum = spikes.quantum
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if axis == 1:
            quantum = quantum[start:end:step] if abs(end) < _OPEN else quantum[start::step]
    told = (starts, ends, [_last(axis, rank) for axis in axes], steps)
    names = ("starts", "ends", "axes", "steps")
    inputs = [_constant(lowering, node, n, v) for n, v in zip(names, told, strict=True)]
    return _moved(lowering, node, replace(spikes, quantum=quantum), inputs)


def _pad(
    lowering: Lowering, node: onnx.NodeProto, spikes: Emissions, rank: int
) -> Emissions | None:
    pads = _numbers(lowering, node, 1)
    value = lowering.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    axes = _numbers(lowering, node, 3) or list(range(rank))
    constant = attributes(node).get("mode", b"constant") in (b"constant", "constant")
    filled = value is not None and bool(np.any(value != 0))
    if pads is None or min(pads) < 0 or not constant or filled:
        return None
    before = dict(zip((axis % rank for axis in axes), pads[: len(axes)], strict=True))
    after = dict(zip((axis % rank for axis in axes), pads[len(axes) :], strict=True))
    if before.get(0, 0) or after.get(0, 0):
        return None
    order = [0, *range(2, rank), 1]
    moved = [side.get(axis, 0) for side in (before, after) for axis in order]
    width = (before.get(1, 0), after.get(1, 0))
    quantum = np.pad(spikes.quantum, width, constant_values=np.float32(1))
    inputs = [_constant(lowering, node, "pads", moved)]
    return _moved(lowering, node, replace(spikes, quantum=quantum), inputs)


def _last(axis: int, rank: int) -> int:
    """Return where an axis is in the channel-last layout."""
    return axis if axis == 0 else rank - 1 if axis == 1 else axis - 1


def _constant(lowering: Lowering, node: onnx.NodeProto, name: str, values: list[int]) -> str:
    return lowering.add_constant(f"{node.output[0]}/{name}", np.array(values, np.int64))


def _moved(
    lowering: Lowering, node: onnx.NodeProto, spikes: Emissions, inputs: list[str]
) -> Emissions:
    tensor = f"{ENGINE}/{node.output[0]}"
    lowering.nodes.append(helper.make_node(node.op_type, [spikes.tensor, *inputs], [tensor]))
    return replace(spikes, tensor=tensor)

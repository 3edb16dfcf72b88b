"""Pools and concatenations that map spikes to spikes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper

from onnx2snn.ir.ops import DOMAIN
from onnx2snn.runtime.engine.attributes import attributes, window
from onnx2snn.runtime.engine.shapes import Shape
from onnx2snn.runtime.engine.stream import ENGINE, Emissions

if TYPE_CHECKING:
    from onnx2snn.runtime.engine.lowering import Lowering


def pooled(lowering: Lowering, node: onnx.NodeProto, spikes: Emissions) -> Emissions | None:
    """Return the spikes behind a pool; None if it is no pool, or one without such a form."""
    shape = lowering.shape(node.input[0])
    if shape is None or spikes.flat or spikes.pool != (1, 1) or len(shape) not in (3, 4):
        return None
    if node.domain == DOMAIN and node.op_type in ("IncrementMaxPool", "IncrementMaxPool_Chunk"):
        return _count_max_pool(lowering, node, spikes)
    if node.domain != "":
        return None
    if node.op_type == "AveragePool":
        return _average_pool(lowering, node, spikes)
    if node.op_type == "GlobalAveragePool" or _is_spatial_mean(lowering, node, len(shape)):
        return _global_pool(lowering, node, spikes, shape)
    return None


def concatenated(
    lowering: Lowering, node: onnx.NodeProto, parts: list[Emissions]
) -> Emissions | None:
    """Return the spikes of a concatenation of channels."""
    shape = lowering.shape(node.input[0])
    alike = len({part.codes for part in parts}) == 1 and not any(part.flat for part in parts)
    if shape is None or attributes(node)["axis"] not in (1, 1 - len(shape)) or not alike:
        return None
    tensor = f"{ENGINE}/{node.output[0]}"
    lowering.nodes.append(
        helper.make_node("Concat", [part.tensor for part in parts], [tensor], axis=len(shape) - 1)
    )
    quantum = np.concatenate([part.quantum for part in parts])
    unit, ternary = all(part.unit for part in parts), all(part.ternary for part in parts)
    return Emissions(tensor, quantum, parts[0].codes, unit, ternary)


def _average_pool(lowering: Lowering, node: onnx.NodeProto, spikes: Emissions) -> Emissions | None:
    given = attributes(node)
    place = window(given, given["kernel_shape"])
    padded = any(given.get("pads") or ())
    if place is None or given.get("ceil_mode", 0):
        return None
    if padded and not given.get("count_include_pad", 0):
        return None  # windows at the border have divisors of their own
    if not padded and _only_in_front_of_convolutions(lowering, node, place):
        quantum = spikes.quantum / np.float32(math.prod(given["kernel_shape"]))
        return replace(spikes, quantum=quantum, pool=(place[0], place[1]))
    return _sum_pool(lowering, node, spikes, place, math.prod(given["kernel_shape"]))


def _only_in_front_of_convolutions(
    lowering: Lowering, node: onnx.NodeProto, place: tuple[int, ...]
) -> bool:
    """Say whether convolutions can read what is in front of a pool, in the place of its sums."""
    kernel, stride, dilation = place[0:2], place[2:4], place[4:6]
    return kernel == stride and dilation == (1, 1) and lowering.readers(node.output[0]) == {"Conv"}


def _global_pool(
    lowering: Lowering, node: onnx.NodeProto, spikes: Emissions, shape: Shape
) -> Emissions | None:
    sizes = [size for size in shape[2:] if size is not None]
    if len(sizes) != len(shape) - 2:
        return None
    flat = node.op_type == "ReduceMean" and not attributes(node).get("keepdims", 1)
    whole = (0, 0, 1, 1, 1, 1, 0, 0, 0, 0)  # kernel 0: the whole axis
    summed = _sum_pool(lowering, node, spikes, whole, math.prod(sizes))
    return Emissions(summed.tensor, summed.quantum, codes=False, unit=False, flat=flat)


def _is_spatial_mean(lowering: Lowering, node: onnx.NodeProto, rank: int) -> bool:
    if node.op_type != "ReduceMean" or len(node.input) != 2:
        return False
    axes = lowering.constant(node.input[1])
    if axes is None:
        return False
    return sorted(axis % rank for axis in axes.reshape(-1).tolist()) == list(range(2, rank))


def _sum_pool(
    lowering: Lowering,
    node: onnx.NodeProto,
    spikes: Emissions,
    place: tuple[int, ...],
    divisor: int,
) -> Emissions:
    tensor = f"{ENGINE}/{node.output[0]}"
    geometry = lowering.add_constant(f"{node.output[0]}/window", np.array(place, np.int64))
    lowering.nodes.append(
        helper.make_node("SumPool", [spikes.tensor, geometry], [tensor], domain=ENGINE)
    )
    return Emissions(tensor, spikes.quantum / np.float32(divisor), codes=False, unit=False)


def _count_max_pool(
    lowering: Lowering, node: onnx.NodeProto, spikes: Emissions
) -> Emissions | None:
    given = attributes(node)
    place = window(given, given["kernel_shape"])
    carried = node.op_type.endswith("_Chunk")
    states = list(node.input[1:3]) if carried else []
    timesteps = node.input[-1]
    quantum = lowering.floats(node.input[-2])
    if place is None or given.get("ceil_mode", 0) or not spikes.codes or quantum is None:
        return None
    same = np.array_equal(np.broadcast_to(quantum.reshape(-1), len(spikes.quantum)), spikes.quantum)
    if not (same and spikes.ternary):
        return None
    tensor = f"{ENGINE}/{node.output[0]}"
    geometry = lowering.add_constant(f"{node.output[0]}/window", np.array(place, np.int64))
    inputs = [spikes.tensor, geometry, timesteps, *states]
    lowering.nodes.append(
        helper.make_node(
            "CountMaxPool",
            inputs,
            [tensor, *node.output[1:]],
            domain=ENGINE,
            carried=int(carried),
        )
    )
    return Emissions(tensor, spikes.quantum, codes=True, unit=spikes.unit, ternary=True)

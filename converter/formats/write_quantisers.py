"""A quantiser and its reader become the staircase they compute.

    DequantizeLinear(QuantizeLinear(x, s, z), s, z)
        →  Mul(Clip(Round(Div(x, s)), q_min - z, q_max - z), s)

which is exact: QuantizeLinear rounds half to even, as Round does, and saturates, which is the
Clip (ONNX operator specification). Where x lies on the same grid already, as behind a MaxPool, the
pair is taken out. A staircase is what an integrate-and-fire neuron of quantum s computes at rest,
so the int8 grid of the source becomes the grid of the spikes.

    DequantizeLinear(x, s, z) of an integer input   →  Mul(Sub(Cast(x), z), s)

Refuses: float8 grids, grids per channel of an activation, computed scales.
"""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.formats.expand_qlinear import grid_of, is_quantiser
from onnx2snn.converter.formats.sink_quantisers import MOVING
from onnx2snn.converter.graph.rewiring import Names, drop_dead, is_op, producer, redirect
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.findings import Change, Finding

_ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "PRelu", "Sigmoid", "Tanh", "HardSigmoid", "Softplus")


def write_quantisers(graph: gs.Graph) -> list[Change]:
    """Writes pairs of quantisers as staircases, and dequantised inputs as affine functions.

    Raises:
        UnsupportedOpError: a quantiser has no such form.
    """
    names = Names(graph)
    changes, problems = [], []
    on_grid: dict[str, tuple[float, int, str]] = {}
    for node in list(graph.nodes):
        if not is_op(node, "DequantizeLinear") or isinstance(node.inputs[0], gs.Constant):
            continue
        reason = _why_not(node)
        if reason:
            problems.append(_refusal(node, reason))
        else:
            changes.append(_write(graph, node, names, on_grid))
    if problems:
        raise UnsupportedOpError("quantisers that no neuron computes", findings=problems)
    drop_dead(graph)
    return changes


def _why_not(node: gs.Node) -> str:
    above = producer(node.inputs[0])
    grid = grid_of(node)
    if grid is None:
        return "its scale or zero point is computed, or differs between channels"
    if is_op(above, "QuantizeLinear") and above is not None:
        if not is_quantiser(above):
            return "the quantiser above it has computed scales, or scales per channel"
        grid = grid_of(above)
    if grid is not None and _bounds(grid[2]) is None:
        return f"the grid of {grid[2].name} is not uniform"
    return ""


def _refusal(node: gs.Node, reason: str) -> Finding:
    return Finding(
        code="unsupported-quantiser",
        message=reason,
        severity="error",
        node=node.name,
        op=node.op,
        opset=21,
        remedy="quantise activations per tensor to integers, or convert the float model",
    )


def _bounds(dtype: np.dtype[np.generic]) -> tuple[int, int] | None:
    """Least and greatest integer of a type, also of the 4-bit types numpy has no limits for."""
    match = re.fullmatch(r"(u?)int(\d+)", dtype.name)
    if match is None:
        return None
    bits = int(match[2])
    return (0, 2**bits - 1) if match[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _write(
    graph: gs.Graph, node: gs.Node, names: Names, on_grid: dict[str, tuple[float, int, str]]
) -> Change:
    read = grid_of(node)
    assert read is not None
    scale, zero, _ = read
    builder = Builder(graph, node, names)
    above = producer(node.inputs[0])
    if not is_quantiser(above) or above is None:
        value = builder.op("Cast", node.inputs[0], to=onnx.TensorProto.FLOAT)
        if zero:
            value = builder.op("Sub", value, float(zero))
        builder.replace(builder.op("Mul", value, scale, main=True))
        return Change(node=node.name, op=node.op, became=f"Mul by {scale:.6g} of the input")
    grid = grid_of(above)
    assert grid is not None
    step, offset, dtype = grid
    key = (step, offset, dtype.name)
    x = above.inputs[0]
    if (scale, zero) == (step, offset) and on_grid.get(_origin(x).name) == key:
        if redirect(graph, node.outputs[0], x):
            return Change(node=node.name, op=node.op, became="nothing: it is on that grid")
    low, high = _bounds(dtype) or (0, 0)
    level = builder.op("Round", builder.op("Div", x, step))
    bounds = [float(low - offset), float(high - offset)]
    level = builder.op("Clip", level, *bounds)
    if offset != zero:
        level = builder.op("Add", level, float(offset - zero))
    result = builder.op("Mul", level, scale, main=True)
    target, staircase = node.outputs[0], result.inputs[0]
    builder.replace(result)
    _name(graph, staircase, x, names)
    if (scale, zero) == (step, offset):
        on_grid[target.name] = on_grid[result.name] = key
    return Change(node=node.name, op=node.op, became=f"{high - low} steps of {scale:.6g}")


def _name(graph: gs.Graph, staircase: gs.Node, x: gs.Tensor, names: Names) -> None:
    """Name the staircase after the activation it quantises, or after what it quantises."""
    above = producer(x)
    if is_op(above, *_ACTIVATIONS) and above is not None and x.name not in _outputs(graph):
        above.name, staircase.name = names.fresh(f"{above.name}.unquantised"), above.name
    else:
        staircase.name = names.fresh(f"{x.name if above is None else above.name}.grid")


def _outputs(graph: gs.Graph) -> set[str]:
    return {tensor.name for tensor in graph.outputs}


def _origin(tensor: gs.Tensor) -> gs.Tensor:
    """The tensor that entries were picked from."""
    above = producer(tensor)
    while is_op(above, *MOVING) and above is not None:
        data = {_origin(item).name for item in above.inputs[: _data_inputs(above)]}
        if len(data) != 1:
            return tensor
        tensor = above.inputs[0]
        above = producer(tensor)
    return tensor


def _data_inputs(node: gs.Node) -> int:
    return len(node.inputs) if node.op in ("Concat", "Max", "Min") else 1

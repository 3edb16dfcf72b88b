"""A fixed batch becomes the symbolic batch N.

    input [1, 3, 240, 320]             →  input [N, 3, 240, 320]
    Reshape(x, [1, -1]) of a batch     →  Reshape(x, [0, -1])
    Concat(c, x) along another axis    →  Concat(Expand(c, Shape(x)[0:1]...), x)

Proved by running: a batch of two must give what two batches of one give, stacked, and the freed
graph must run at the old batch size. If it does not even with the shape constants repaired, the
graph is left exactly as it was.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    constant_operand,
    drop_dead,
    insert_before,
    is_op,
    operand,
    replace_operand,
    set_constant,
    static_dims,
)
from onnx2snn.converter.graph.shapes import BATCH, annotate_shapes, to_model
from onnx2snn.converter.judging.batching import is_batch_free
from onnx2snn.ir.findings import Change

Undo = Callable[[], None]


def make_batch_free(graph: gs.Graph) -> list[Change]:
    """Frees the batch axis of all inputs and repairs the shapes that had it built in."""
    batch = _fixed_batch(graph)
    if batch is None:
        return []
    if _is_free(graph) and is_batch_free(to_model(graph)):
        return []
    repairs = _repairs(graph, batch)
    undo = _free_dims(graph, batch)
    changes = [
        Change(node=tensor.name, op="input", became=f"batch {batch} became {BATCH}")
        for tensor in graph.inputs
        if undo and tensor.shape and tensor.shape[0] == BATCH
    ]
    if undo and is_batch_free(to_model(graph), batch):
        annotate_shapes(graph)
        return changes
    names = Names(graph)
    for repair in repairs:
        change, restore = repair(names)
        changes.append(change)
        undo.append(restore)
    if repairs and is_batch_free(to_model(graph), batch):
        annotate_shapes(graph)
        return changes
    for restore in reversed(undo):
        restore()
    annotate_shapes(graph)
    return []


def _fixed_batch(graph: gs.Graph) -> int | None:
    """The batch size the graph was exported at; 1 where it claims to take any."""
    for tensor in graph.inputs:
        if tensor.shape:
            first = tensor.shape[0]
            return first if isinstance(first, int) else 1
    return None


def _is_free(graph: gs.Graph) -> bool:
    return any(tensor.shape and not isinstance(tensor.shape[0], int) for tensor in graph.inputs)


def _free_dims(graph: gs.Graph, batch: int) -> list[Undo]:
    undo: list[Undo] = []
    for tensor in (*graph.inputs, *graph.outputs):
        shape = tensor.shape
        if shape and shape[0] == batch:
            tensor.shape = [BATCH, *shape[1:]]
            undo.append(lambda tensor=tensor, shape=shape: setattr(tensor, "shape", shape))  # type: ignore[misc]
    return undo


Repair = Callable[[Names], tuple[Change, Undo]]


def _repairs(graph: gs.Graph, batch: int) -> list[Repair]:
    """What could be rewritten, read off the shapes at the fixed batch."""
    free = [(tensor, tensor.shape) for tensor in graph.inputs]
    for tensor, shape in free:
        if shape and shape[0] == BATCH:
            tensor.shape = [batch, *shape[1:]]
    annotate_shapes(graph)
    repairs: list[Repair] = []
    for node in graph.nodes:
        if is_op(node, "Reshape", "Expand"):
            target = _freed_target(node, batch)
            if target is not None:
                repairs.append(_retarget(node, target))
        if is_op(node, "Concat") and node.attrs["axis"] != 0:
            repairs += [
                _repeat(graph, node, index, data)
                for index in range(len(node.inputs))
                if (data := _joined_with_samples(node, index, batch)) is not None
            ]
    for tensor, shape in free:
        tensor.shape = shape
    return repairs


def _freed_target(node: gs.Node, batch: int) -> list[int] | None:
    values = constant_operand(node, 1)
    data, result = static_dims(node.inputs[0]), static_dims(node.outputs[0])
    if values is None or isinstance(operand(node, 0), gs.Constant) or not values.size:
        return None
    target = [int(value) for value in values]
    if node.op == "Expand":
        return [1, *target[1:]] if target[0] == batch != 1 else None
    if node.attrs.get("allowzero") or target[0] in (0, -1) or not data or not result:
        return None
    if target[0] == batch == data[0]:
        return [0, *target[1:]]
    if batch == 0 or target[0] % batch or any(dim is None for dim in result[1:]):
        return None
    return [-1, *(dim for dim in result[1:] if dim is not None)]


def _retarget(node: gs.Node, target: list[int]) -> Repair:
    def repair(names: Names) -> tuple[Change, Undo]:
        old = node.inputs[1]
        set_constant(node, 1, np.array(target, np.int64), names, "shape")
        change = Change(node=node.name, op=node.op, became=f"{node.op} to {target}")
        return change, lambda: replace_operand(node, 1, old)

    return repair


def _joined_with_samples(node: gs.Node, index: int, batch: int) -> gs.Variable | None:
    """What the constant at this place is joined with, if that is a batch of samples."""
    constant = node.inputs[index]
    if not isinstance(constant, gs.Constant) or not constant.shape or constant.shape[0] != 1:
        return None
    for other in node.inputs:
        dims = static_dims(other)
        if not isinstance(other, gs.Constant) and dims and dims[0] == batch:
            return other
    return None


def _repeat(graph: gs.Graph, node: gs.Node, index: int, data: gs.Variable) -> Repair:
    """Repeat a constant, such as the class token of a transformer, for each sample."""

    def repair(names: Names) -> tuple[Change, Undo]:
        constant = node.inputs[index]
        stem = f"{node.name}.repeat"
        length, target, repeated = (
            gs.Variable(names.fresh(f"{stem}.{part}"), dtype)
            for part, dtype in (("batch", np.int64), ("shape", np.int64), ("out", constant.dtype))
        )
        rest = gs.Constant(names.fresh(f"{stem}.rest"), np.array(constant.shape[1:], np.int64))
        new = [
            gs.Node(
                "Shape", names.fresh(f"{stem}.Shape"), {"start": 0, "end": 1}, [data], [length]
            ),
            gs.Node("Concat", names.fresh(f"{stem}.Concat"), {"axis": 0}, [length, rest], [target]),
            gs.Node("Expand", names.fresh(stem), {}, [constant, target], [repeated]),
        ]
        insert_before(graph, node, *new)
        node.inputs[index] = repeated

        def restore() -> None:
            node.inputs[index] = constant
            drop_dead(graph)

        return Change(node=node.name, op="Concat", became="repeats a constant per sample"), restore

    return repair

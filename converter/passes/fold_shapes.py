"""Shape arithmetic becomes constants; where exactly the batch is left, Reshape gets a 0 or -1.

    Reshape(x, Concat(Shape(x)[0:1], [784]))  →  Reshape(x, [0, 784])
    Reshape(x, [-1, 784])                     →  Reshape(x, [0, 784])    if x has the batch first

A tensor is *shape arithmetic* if it depends on the inputs only through Shape and Size. What it
holds is not derived but observed: ONNX Runtime runs the graph at two batch sizes. Equal values
are a constant. In the target shape of a Reshape, an entry proportional to the batch becomes 0
(it stands where the data has the same length) or -1; in that of an Expand it becomes 1 where the
data already has it; Resize drops the axes it leaves alone.

Refuses: values that differ otherwise, results above 2^20 elements, graphs in nodes. Needs inputs
whose shapes are fixed but for the batch.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    constant_operand,
    drop_dead,
    has_subgraph,
    is_op,
    is_output,
    operand,
    redirect,
    replace_operand,
    set_constant,
)
from onnx2snn.converter.graph.shapes import to_model
from onnx2snn.converter.judging.execution import Execution, ExecutionError
from onnx2snn.ir.findings import Change

_BATCHES = (2, 3)
_MOST_ELEMENTS = 1 << 20
_BY_ROI = "tf_crop_and_resize"
_TARGET = {"Reshape": 1, "Expand": 1, "Resize": 3}  # op: index of its target shape

Observed = tuple[dict[str, np.ndarray], ...]  # tensor or shape by name, once per batch size


def fold_shapes(graph: gs.Graph) -> list[Change]:
    """Replaces shape arithmetic by constants and batch-following Reshape targets."""
    derived = _shape_arithmetic(graph)
    targets = [node for node in graph.nodes if _is_target(node, derived)]
    if not derived and not targets:
        return []
    observed = _observe(graph, derived, targets)
    if observed is None:
        return []
    names = Names(graph)
    changes = [change for node in targets for change in _settle(node, observed, names)]
    changes += _replace_constants(graph, derived, observed, names)
    drop_dead(graph)
    return changes


def _shape_arithmetic(graph: gs.Graph) -> dict[str, gs.Tensor]:
    """Tensors that depend on the inputs only through Shape and Size."""
    derived: dict[str, gs.Tensor] = {}
    for node in graph.nodes:
        if has_subgraph(node) or not node.inputs:
            continue
        if is_op(node, "Shape", "Size") or all(
            tensor.is_empty() or isinstance(tensor, gs.Constant) or tensor.name in derived
            for tensor in node.inputs
        ):
            derived.update((output.name, output) for output in node.outputs if output.name)
    return derived


def _is_target(node: gs.Node, derived: dict[str, gs.Tensor]) -> bool:
    """Whether the node has a computed target shape, or a Reshape one that may be said better."""
    if not is_op(node, *_TARGET) or node.outputs[0].name in derived:
        return False
    target = operand(node, _TARGET[node.op])
    if is_op(node, "Reshape") and isinstance(target, gs.Constant):
        return bool(np.any(np.asarray(target.values) == -1))
    return target is not None and target.name in derived


def _observe(
    graph: gs.Graph, derived: dict[str, gs.Tensor], targets: list[gs.Node]
) -> Observed | None:
    """Values of the derived tensors, and shapes around the targets, at two batch sizes."""
    model = to_model(graph)
    del model.graph.value_info[:]
    known = {output.name for output in model.graph.output}
    for name in derived:
        if name not in known:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    around = {t.name for node in targets for t in (node.inputs[0], node.outputs[0])}
    for name in sorted(around):
        model.graph.node.append(onnx.helper.make_node("Shape", [name], [_shape_of(name)]))
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(_shape_of(name)))
    wanted = [*derived, *(_shape_of(name) for name in sorted(around))]
    try:
        execution = Execution(model)
        runs = [execution.run(execution.feeds(batch, 0), wanted) for batch in _BATCHES]
    except ExecutionError:
        return None  # e.g. a fixed batch that could not be freed: then shapes stay as they are
    return tuple({k: v for k, v in run.items() if isinstance(v, np.ndarray)} for run in runs)


def _shape_of(name: str) -> str:
    return f"onnx2snn.shape_of.{name}"


def _replace_constants(
    graph: gs.Graph, derived: dict[str, gs.Tensor], observed: Observed, names: Names
) -> list[Change]:
    changes = []
    for name, tensor in derived.items():
        values = [run.get(name) for run in observed]
        first = values[0]
        if first is None or first.size > _MOST_ELEMENTS or is_output(graph, tensor):
            continue
        if not all(value is not None and np.array_equal(first, value) for value in values):
            continue
        if not tensor.outputs:
            continue
        node = tensor.inputs[0]
        redirect(graph, tensor, gs.Constant(names.fresh(f"{name}.folded"), first))
        changes.append(Change(node=node.name, op=node.op, became="a constant"))
    return changes


def _settle(node: gs.Node, observed: Observed, names: Names) -> list[Change]:
    """Write the batch out of the node's target shape, if that is possible."""
    index = _TARGET[node.op]
    before = [run[_shape_of(node.inputs[0].name)] for run in observed]
    after = [run[_shape_of(node.outputs[0].name)] for run in observed]
    values = [run.get(node.inputs[index].name) for run in observed]
    if node.op != "Reshape" and (values[0] is None or np.array_equal(values[0], values[1])):  # type: ignore[arg-type]
        return []  # a constant already, or soon
    if node.op == "Resize":
        return _settle_resize(node, before, after, names)
    settle = {"Reshape": reshape_target, "Expand": expand_target}[node.op]
    target = settle(before, after)
    old = constant_operand(node, index)
    if target is None or (old is not None and target == old.tolist()):
        return []
    node.attrs.pop("allowzero", None)  # no axis of the result is empty: both runs had data
    set_constant(node, index, np.array(target, np.int64), names, "shape")
    return [Change(node=node.name, op=node.op, became=f"{node.op} to {target}")]


def reshape_target(before: list[np.ndarray], after: list[np.ndarray]) -> list[int] | None:
    """The one target that reshapes as observed at both batch sizes, if there is one."""
    target = [int(dim) for dim in after[0]]
    moving = [i for i in range(len(target)) if after[0][i] != after[1][i]]
    for axis in list(moving):
        if axis < len(before[0]) and all(
            b[axis] == a[axis] for b, a in zip(before, after, strict=True)
        ):
            target[axis] = 0
            moving.remove(axis)
    if len(moving) > 1:
        return None
    for axis in moving:
        target[axis] = -1
    return target


def expand_target(before: list[np.ndarray], after: list[np.ndarray]) -> list[int] | None:
    """The target of an Expand whose data already follows the batch, if it does."""
    target = [int(dim) for dim in after[0]]
    offset = len(target) - len(before[0])
    for axis in range(len(target)):
        if after[0][axis] == after[1][axis]:
            continue
        if axis < offset or any(
            b[axis - offset] != a[axis] for b, a in zip(before, after, strict=True)
        ):
            return None
        target[axis] = 1
    return target


def _settle_resize(
    node: gs.Node, before: list[np.ndarray], after: list[np.ndarray], names: Names
) -> list[Change]:
    axes = [
        i
        for i in range(len(after[0]))
        if any(b[i] != a[i] for b, a in zip(before, after, strict=True))
    ]
    if node.attrs.get("axes") or node.attrs.get("coordinate_transformation_mode") == _BY_ROI:
        return []
    if any(after[0][i] != after[1][i] for i in axes) or not axes:
        return []
    sizes = np.array([after[0][i] for i in axes], np.int64)
    node.attrs["axes"] = axes
    replace_operand(node, 1, gs.Variable.empty())
    replace_operand(node, 2, gs.Variable.empty())
    set_constant(node, 3, sizes, names, "sizes")
    return [Change(node=node.name, op=node.op, became=f"Resize of axes {axes} to {list(sizes)}")]

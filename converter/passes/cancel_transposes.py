"""Transposes of NHWC exports move towards the outputs until they meet their inverse.

    f(Transpose(x, p))                  →  Transpose(f(x), p)        f elementwise
    f(Transpose(x, p), Transpose(y, p)) →  Transpose(f(x, y), p)     also with constants
    Transpose(Transpose(x, p), q)       →  Transpose(x, p∘q), or x
    Reshape(Transpose(x, p))            →  Reshape(x)    if only axes of length 1 move

Concat, reductions, Pad and Squeeze have their axes renamed on the way. Convolutions and pools fix
the layout: nothing moves through them.

Refuses: a Transpose that is also read where the layout matters (moving it would double it),
operands whose layouts differ, constants of higher rank than the data.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    constant_operand,
    detach,
    drop_dead,
    insert_after,
    is_op,
    is_output,
    operand,
    producer,
    rank,
    redirect,
    set_constant,
    static_dims,
)
from onnx2snn.ir.findings import Change

_UNARY = (
    *("Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Selu"),
    *("Celu", "Softplus", "Softsign", "ThresholdedRelu", "Gelu", "Mish", "Erf", "Exp", "Log"),
    *("Sqrt", "Reciprocal", "Neg", "Abs", "Floor", "Ceil", "Round", "Sign", "Not", "Cast"),
    *("Identity", "Dropout", "IsNaN"),
)
_NARY = (
    *("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Pow", "Where", "PRelu"),
    *("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal", "And", "Or", "Xor", "Mod"),
)
_REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd")
_BLIND = (*_UNARY, *_NARY, *_REDUCTIONS, "Concat", "Pad", "Squeeze")


def cancel_transposes(graph: gs.Graph) -> list[Change]:
    """Moves Transposes down through layout-blind operators and merges those that meet."""
    names = Names(graph)
    changes: list[Change] = []
    moved = True
    while moved:
        # In topological order, so what moves is met again further down in the same round.
        visits = [_visit(graph, node, names) for node in list(graph.nodes)]
        drop_dead(graph)
        moved = any(visits)
        changes += [change for change in visits if change is not None]
    return changes


def _visit(graph: gs.Graph, node: gs.Node, names: Names) -> Change | None:
    if not node.outputs or not node.inputs:
        return None  # taken out on the way
    if is_op(node, "Transpose"):
        return _merge_pair(graph, node)
    if is_op(node, "Reshape", "Flatten"):
        return _skip_unit_transpose(node)
    if not is_op(node, *_BLIND):
        return None
    perm = _shared_permutation(graph, node)
    if perm is None:
        return None
    if node.op in _REDUCTIONS or node.op == "Squeeze":
        return _sink_reduction(graph, node, perm, names)
    if node.op == "Pad" and not _rename_pads(node, perm, names):
        return None
    if node.op == "Concat":
        node.attrs["axis"] = perm[node.attrs["axis"]]
    for index, tensor in enumerate(node.inputs[: _data_operands(node)]):
        if isinstance(tensor, gs.Constant):
            if node.op == "Concat" or math.prod(tensor.shape) > 1:
                set_constant(node, index, _untransposed(tensor, perm), names, "transposed")
        else:
            node.inputs[index] = tensor.inputs[0].inputs[0]
    return _put_behind(graph, node, perm, names)


def permutation(node: gs.Node | None) -> list[int] | None:
    """The perm of a Transpose; reversal where it is left out."""
    if node is None or not is_op(node, "Transpose"):
        return None
    perm = node.attrs.get("perm")
    if perm is not None:
        return [int(axis) for axis in perm]
    axes = rank(node.inputs[0])
    return None if axes is None else list(range(axes))[::-1]


def _data_operands(node: gs.Node) -> int:
    """How many of the first inputs have the layout of the data."""
    return len(node.inputs) if node.op in (*_NARY, "Concat") else 1


def _shared_permutation(graph: gs.Graph, node: gs.Node) -> list[int] | None:
    """The permutation above every operand of the node, if it is the same and may move."""
    shared: list[int] | None = None
    for tensor in node.inputs[: _data_operands(node)]:
        if isinstance(tensor, gs.Constant):
            continue
        perm = permutation(producer(tensor))
        if perm is None or (shared is not None and perm != shared) or is_output(graph, tensor):
            return None
        if not all(is_op(reader, "Transpose", *_BLIND) for reader in tensor.outputs):
            return None  # a reader that needs this layout would keep the Transpose alive
        shared = perm
    if shared is None:
        return None
    for tensor in node.inputs[: _data_operands(node)]:
        if isinstance(tensor, gs.Constant) and len(tensor.shape) > len(shared):
            return None
    if node.op == "Concat" and not 0 <= node.attrs["axis"] < len(shared):
        node.attrs["axis"] += len(shared)
    return shared


def _untransposed(tensor: gs.Constant, perm: list[int]) -> np.ndarray:
    values = np.asarray(tensor.values)
    values = values.reshape([1] * (len(perm) - values.ndim) + list(values.shape))
    return values.transpose(np.argsort(perm))


def _merge_pair(graph: gs.Graph, node: gs.Node) -> Change | None:
    first = producer(node.inputs[0])
    p, q = permutation(first), permutation(node)
    if first is None or p is None or q is None:
        return None
    together = [p[axis] for axis in q]
    source = first.inputs[0]
    if together == sorted(together) and redirect(graph, node.outputs[0], source):
        detach([node])
        graph.nodes = [item for item in graph.nodes if item is not node]
        return Change(node=node.name, op=node.op, became="nothing: it undoes another Transpose")
    node.inputs[0] = source
    node.attrs["perm"] = together
    return Change(node=node.name, op=node.op, became=f"Transpose by {together}")


def _put_behind(graph: gs.Graph, node: gs.Node, perm: list[int], names: Names) -> Change:
    """Let the node compute in the layout before the Transpose, and put a Transpose behind it."""
    result = node.outputs[0]
    if perm != sorted(perm):
        inner = gs.Variable(names.fresh(f"{result.name}.before_transpose"), result.dtype)
        if result.shape is not None and len(result.shape) == len(perm):
            inner.shape = [result.shape[perm.index(axis)] for axis in range(len(perm))]
        node.outputs[0] = inner
        name = names.fresh(f"{node.name}.transpose")
        behind = gs.Node("Transpose", name, {"perm": perm}, [inner], [result])
        insert_after(graph, node, behind)
    return Change(node=node.name, op=node.op, became=f"{node.op} in front of a Transpose")


def _rename_pads(node: gs.Node, perm: list[int], names: Names) -> bool:
    pads, axes = constant_operand(node, 1), constant_operand(node, 3)
    if pads is None or (operand(node, 3) is not None and axes is None):
        return False
    if axes is not None:
        renamed = np.array([perm[int(axis)] for axis in axes], np.int64)
        set_constant(node, 3, renamed, names, "axes")
        return True
    inner = np.zeros_like(pads)
    for axis, old in enumerate(perm):
        inner[old] = pads[axis]
        inner[old + len(perm)] = pads[axis + len(perm)]
    set_constant(node, 1, inner, names, "pads")
    return True


def _sink_reduction(graph: gs.Graph, node: gs.Node, perm: list[int], names: Names) -> Change | None:
    axes = constant_operand(node, 1)
    if axes is None or not axes.size:
        return None
    gone = {int(axis) % len(perm) for axis in axes}
    set_constant(node, 1, np.array(sorted(perm[a] for a in gone), np.int64), names, "axes")
    node.inputs[0] = node.inputs[0].inputs[0].inputs[0]
    if node.op != "Squeeze" and node.attrs.get("keepdims", 1):
        return _put_behind(graph, node, perm, names)
    left = [old for axis, old in enumerate(perm) if axis not in gone]
    return _put_behind(graph, node, [sorted(left).index(old) for old in left], names)


def _skip_unit_transpose(node: gs.Node) -> Change | None:
    """Reading past a Transpose that moves axes of length 1 only: the numbers lie the same."""
    above = producer(node.inputs[0])
    perm = permutation(above)
    dims = static_dims(above.inputs[0]) if above is not None else None
    if above is None or perm is None or dims is None:
        return None
    longer = [axis for axis in perm if dims[axis] != 1]
    if longer != sorted(longer) or not _target_survives(node, perm, dims):
        return None
    node.inputs[0] = above.inputs[0]
    return Change(node=above.name, op="Transpose", became=f"nothing: {node.op} ignores it")


def _target_survives(node: gs.Node, perm: list[int], dims: list[int | None]) -> bool:
    """Whether Reshape's zeros, or Flatten's axis, mean the same before the Transpose."""
    if node.op == "Flatten":
        return bool(node.attrs.get("axis", 1) == 1 and perm[0] == 0)
    target = constant_operand(node, 1)
    if target is None:
        return False
    zeros = [axis for axis, length in enumerate(target) if length == 0]
    return all(
        perm[axis] == axis or (dims[axis] is not None and dims[axis] == dims[perm[axis]])
        for axis in zeros
    )

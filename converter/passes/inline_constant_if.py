"""An If whose condition is known is the branch it takes.

    If(true, then: f(x), else: g(x))  →  f(x)

Exporters write such an If where a traced program asked for a shape, as squeeze does.

Refuses: computed conditions; a branch that hands on a tensor it did not compute, where an output
would lose its name.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    detach,
    insert_before,
    is_op,
    is_output,
    producer,
    redirect,
    scalar_value,
)
from onnx2snn.ir.findings import Change


def inline_constant_if(graph: gs.Graph) -> list[Change]:
    """Puts the nodes of the branch in the place of the If; nested ones too."""
    names = Names(graph)
    changes: list[Change] = []
    pending = [node for node in graph.nodes if is_op(node, "If")]
    while pending:
        node = pending.pop()
        condition = scalar_value(node.inputs[0])
        branch = None if condition is None else _branch(node, bool(condition))
        if branch is None or not _may_leave(graph, node, branch):
            continue
        pending += [inner for inner in branch.nodes if is_op(inner, "If")]
        _inline(graph, node, branch, names)
        changes.append(Change(node=node.name, op="If", became="the branch it takes"))
    return changes


def _branch(node: gs.Node, condition: bool) -> gs.Graph | None:
    branch = node.attrs.get("then_branch" if condition else "else_branch")
    return branch if isinstance(branch, gs.Graph) else None


def _may_leave(graph: gs.Graph, node: gs.Node, branch: gs.Graph) -> bool:
    inside = {id(inner) for inner in branch.nodes}
    return not any(
        is_output(graph, outer) and id(producer(inner)) not in inside
        for outer, inner in zip(node.outputs, branch.outputs, strict=True)
    )


def _inline(graph: gs.Graph, node: gs.Node, branch: gs.Graph, names: Names) -> None:
    moved = list(branch.nodes)
    results = list(branch.outputs)
    for inner in moved:
        inner.name = names.fresh(f"{node.name}.{inner.name}")
        for tensor in inner.outputs:
            if not tensor.is_empty():
                tensor.name = names.fresh(f"{node.name}.{tensor.name}")
        for tensor in inner.inputs:
            if isinstance(tensor, gs.Constant) and len(tensor.outputs) == 1:
                tensor.name = names.fresh(f"{node.name}.{tensor.name}")
    branch.nodes, branch.outputs = [], []
    insert_before(graph, node, *moved)
    for outer, inner in zip(list(node.outputs), results, strict=True):
        redirect(graph, outer, inner)
    detach([node])
    graph.nodes = [item for item in graph.nodes if item is not node]

"""Whether the function bodies of a file are those of the operators they are named after.

ONNX Runtime runs the body a file carries, wherever no compiled operator takes its place. A body
that another program emptied or changed would compute another network under the same name.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from onnx2snn.ir.derive.settle import SUFFIX
from onnx2snn.ir.derive.unscan import scan_node
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.ops import DOMAIN, OPS, SpikingOp


def body_problems(model: onnx.ModelProto, ops: tuple[SpikingOp, ...] = OPS) -> Iterator[Finding]:
    """Yield what is wrong with the bodies of the ``onnx2snn`` operators that a model uses."""
    bodies = {f.name: f for f in model.functions if f.domain == DOMAIN}
    for node in _spiking_nodes(model):
        if node.op_type not in bodies:
            yield Finding(
                code="grammar",
                severity="error",
                message="has no function body in the file",
                node=node.name,
                op=node.op_type,
            )
    for name, body in bodies.items():
        own = own_body(name, ops)
        if own is not None and _meaning(own) != _meaning(body):
            yield Finding(
                code="changed-body",
                severity="error",
                message="its function body in the file is not that of the operator",
                op=name,
            )


def own_body(name: str, ops: tuple[SpikingOp, ...] = OPS) -> onnx.FunctionProto | None:
    """Return the body of an operator, in the form its name says; None if the name is unknown."""
    for op in ops:
        if name == op.name:
            return op.sequence_body()
        if name == op.step_name:
            return op.step_body()
        if name == op.name + SUFFIX:
            return op.settled_body()
    return None


def _meaning(body: onnx.FunctionProto) -> tuple[object, ...]:
    """What a body computes: its text without names of files, docs and declared shapes."""
    nodes = [node.SerializeToString(deterministic=True) for node in body.node]
    defaults = [item.SerializeToString(deterministic=True) for item in body.attribute_proto]
    versions = sorted((entry.domain, entry.version) for entry in body.opset_import)
    signature = (list(body.input), list(body.output), list(body.attribute))
    return (nodes, sorted(defaults), versions, *signature)


def _spiking_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    scan = scan_node(model)
    steps = [node for attribute in scan.attribute for node in attribute.g.node] if scan else []
    yield from (node for node in (*model.graph.node, *steps) if node.domain == DOMAIN)

"""From the scan layout back to the folded one: every X_Step becomes X again.

The scan layout (:mod:`onnx2snn.ir.derive.scan`) keeps the names of all nodes and tensors of the
folded graph. What it adds carries the prefix ``onnx2snn/scan/`` and is left out here.
"""

from __future__ import annotations

import onnx

from onnx2snn.ir.derive.parts import assemble
from onnx2snn.ir.errors import InvariantError
from onnx2snn.ir.ops import DOMAIN, OPS, SpikingOp

GLUE = "onnx2snn/scan/"
SCAN = GLUE + "time"


def scan_node(model: onnx.ModelProto) -> onnx.NodeProto | None:
    """Return the Scan over timesteps of the scan layout; None if the model is folded."""
    return next((node for node in model.graph.node if node.name == SCAN), None)


def unscan(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the folded model: the argument itself if it is folded already.

    Raises:
        InvariantError: the body of the Scan holds an operator without a folded form.
    """
    scan = scan_node(model)
    if scan is None:
        return model
    body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
    clock = body.input[-1].name
    timesteps = model.graph.input[-1].name
    nodes: list[onnx.NodeProto] = []
    used: dict[str, SpikingOp] = {}
    for node in model.graph.node:
        if node.name == SCAN:
            for step in body.node:
                if not step.name.startswith(GLUE):
                    nodes.append(_folded(step, clock, timesteps, used))
        elif not node.name.startswith(GLUE):
            nodes.append(node)
    functions = [used[name].sequence_body() for name in sorted(used)]
    folded = assemble(model, nodes, model.graph.input, model.graph.output, functions)
    folded.metadata_props.extend(model.metadata_props)
    folded.doc_string = model.doc_string
    return folded


def _folded(
    step: onnx.NodeProto, clock: str, timesteps: str, used: dict[str, SpikingOp]
) -> onnx.NodeProto:
    node = onnx.NodeProto()
    node.CopyFrom(step)
    inputs = [timesteps if name == clock else name for name in step.input]
    if step.domain == DOMAIN:
        op = next((op for op in OPS if op.step_name == step.op_type), None)
        if op is None:
            raise InvariantError(f"node '{step.name}' has unknown operator {step.op_type}")
        used[op.name] = op
        node.op_type = op.name
        del inputs[1 : 1 + len(op.state)]
        del node.output[:]
        node.output.append(step.output[0].removeprefix(GLUE))
    del node.input[:]
    node.input.extend(inputs)
    return node

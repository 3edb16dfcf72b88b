"""Batch normalisation at inference is a scale and a shift per channel.

    BatchNormalization(x)  →  Add(Mul(x, a), b)
    a = scale / sqrt(var + epsilon),   b = bias - mean a        (shape [1, C, 1, ...])

Exact everywhere, also in front of a padded Conv; fold_channel_affine then merges Mul and Add
into a neighbour where that is exact too.

Refuses: training mode (raises UnsupportedOpError: its result depends on the whole batch);
statistics that are computed; inputs of unknown rank.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    constant_operand,
    detach,
    insert_before,
    is_op,
    rank,
)
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.findings import Change, Finding


def split_batch_norm(graph: gs.Graph) -> list[Change]:
    """Replaces every BatchNormalization by a Mul and an Add with constants."""
    norms = [node for node in graph.nodes if is_op(node, "BatchNormalization")]
    _refuse_training([node for node in norms if node.attrs.get("training_mode", 0)])
    names = Names(graph)
    return [_split(graph, node, names) for node in norms if _is_splittable(node)]


def _refuse_training(nodes: list[gs.Node]) -> None:
    if nodes:
        raise UnsupportedOpError(
            "the model was exported in training mode",
            findings=[
                Finding(
                    code="training-mode",
                    message="its result depends on the other samples of the batch",
                    severity="error",
                    node=node.name,
                    op=node.op,
                    opset=21,
                    remedy="call model.eval() before exporting",
                )
                for node in nodes
            ],
        )


def _is_splittable(node: gs.Node) -> bool:
    constants = all(constant_operand(node, index) is not None for index in range(1, 5))
    return constants and rank(node.inputs[0]) is not None


def _split(graph: gs.Graph, node: gs.Node, names: Names) -> Change:
    scale, bias, mean, var = (
        np.asarray(constant_operand(node, index), np.float64) for index in range(1, 5)
    )
    factor = scale / np.sqrt(var + node.attrs.get("epsilon", 1e-5))
    dtype = np.asarray(constant_operand(node, 1)).dtype
    shape = [1, -1] + [1] * ((rank(node.inputs[0]) or 2) - 2)
    x, y = node.inputs[0], node.outputs[0]
    scaled = gs.Variable(names.fresh(f"{y.name}.scaled"), y.dtype, y.shape)
    constants = [
        gs.Constant(names.fresh(f"{node.name}.{label}"), values.astype(dtype).reshape(shape))
        for label, values in (("scale", factor), ("shift", bias - mean * factor))
    ]
    mul = gs.Node("Mul", names.fresh(f"{node.name}.mul"), inputs=[x, constants[0]])
    add = gs.Node("Add", names.fresh(f"{node.name}.add"), inputs=[scaled, constants[1]])
    insert_before(graph, node, mul, add)
    detach([node])
    mul.outputs, add.outputs = [scaled], [y]
    graph.nodes = [item for item in graph.nodes if item is not node]
    return Change(node=node.name, op=node.op, became=f"Mul '{mul.name}' and Add '{add.name}'")

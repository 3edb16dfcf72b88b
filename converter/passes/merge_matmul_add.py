"""MatMul by a constant, plus a constant, is one Gemm.

    Add(MatMul(x, W), b)  →  Gemm(x, W, b)         x of rank 2

Refuses: other ranks (Gemm has none), a product that something else reads, a bias that differs
between the rows.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import (
    Names,
    bypass,
    constant_operand,
    constant_values,
    is_op,
    producer,
    rank,
    set_constant,
    sole_reader,
)
from onnx2snn.converter.graph.synapse import per_channel
from onnx2snn.ir.findings import Change


def merge_matmul_add(graph: gs.Graph) -> list[Change]:
    """Replaces MatMul and Add by one Gemm that keeps the MatMul's name."""
    names = Names(graph)
    changes: list[Change] = []
    for add in [node for node in graph.nodes if is_op(node, "Add")]:
        for index in (0, 1):
            product = producer(add.inputs[index])
            if is_op(product, "MatMul") and sole_reader(graph, add.inputs[index]) is add:
                changes += _merge(graph, product, add, index, names)
                break
    return changes


def _merge(
    graph: gs.Graph, product: gs.Node, add: gs.Node, index: int, names: Names
) -> list[Change]:
    weight = constant_operand(product, 1)
    if weight is None or weight.ndim != 2 or rank(product.inputs[0]) != 2:
        return []
    bias = constant_values(add.inputs[1 - index])
    vector = per_channel(bias, 2, 1, weight.shape[1])
    if bias is None or vector is None or not bypass(graph, add, index):
        return []
    product.op = "Gemm"
    set_constant(product, 2, vector.astype(bias.dtype), names, "bias")
    return [Change(node=add.name, op="Add", became=f"the bias of Gemm '{product.name}'")]

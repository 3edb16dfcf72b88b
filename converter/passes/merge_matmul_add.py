"""MatMul by a constant, plus a constant, is one Gemm.

    Add(MatMul(x, W), b)  →  Gemm(x, W, b)         x of rank 2

Refuses: other ranks (Gemm has none), a product that something else reads, a bias that differs
between the rows.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.rewiring import (
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
from onnx2snn.converter.synapse import per_channel
from onnx2snn.ir.findings import Change


def merge_matmul_add(graph: gs.Graph) -> list[Change]:
    """Replaces MatMul and Add by one Gemm that keeps the MatMul's name."""
    names = Names(graph)
    changes = []
    for add in [node for node in graph.nodes if is_op(node, "Add")]:
        for index in (0, 1):
            product = producer(add.inputs[index])
            if product is None or not is_op(product, "MatMul"):
                continue
            if sole_reader(graph, product.outputs[0]) is not add:
                continue
            weight = constant_operand(product, 1)
            if weight is None or weight.ndim != 2 or rank(product.inputs[0]) != 2:
                continue
            bias = constant_values(add.inputs[1 - index])
            vector = per_channel(bias, 2, 1, weight.shape[1])
            if bias is None or vector is None or not bypass(graph, add, index):
                continue
            product.op = "Gemm"
            set_constant(product, 2, vector.astype(bias.dtype), names, "bias")
            changes.append(
                Change(node=add.name, op="Add", became=f"the bias of Gemm '{product.name}'")
            )
            break
    return changes

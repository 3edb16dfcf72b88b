"""What lifts cost: the operators that are left analog, between ``Estimate`` and ``Increment``.

They are charged at every timestep, as multiply-accumulates: weighted operators (bilinear ones of
attention included) by their real multiplications; every other operator that computes, by one per
element of its output, as are ``Estimate`` and ``Increment``. Moving data is free.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.derive.parts import split_parts
from onnx2snn.ir.derive.settle import shape_model, shape_name
from onnx2snn.ir.grammar import tensor_kinds
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, Estimate, Increment, spiking_op
from onnx2snn.ir.session import Session, Tensors
from onnx2snn.runtime.evaluation.macs import WEIGHTED, Weighted, multiplications

FREE = (
    *("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split"),
    *("Concat", "Gather", "GatherElements", "GatherND", "Expand", "Tile", "Pad", "Cast"),
    *("Shape", "Size", "DepthToSpace", "SpaceToDepth", "Constant", "ConstantOfShape"),
)
"""Operators that move data and compute nothing."""


def lift_operations(model: SpikingModel, first: Tensors, samples: int) -> float:
    """Return the operations of all lifts, per sample and timestep.

    Args:
        model: the spiking model.
        first: inputs of a few samples.
        samples: batch size of ``first``.
    """
    graph = model.plain.graph
    kinds = tensor_kinds(graph)
    lifted = [node for node in split_parts(graph).body if _computes(node, kinds)]
    if not lifted:
        return 0.0
    weighted = {op.op_type: op for op in WEIGHTED}
    wanted = {name for node in lifted for name in (*node.output, *node.input) if name}
    streams = sorted(name for name in wanted if kinds.get(name) in ("estimate", "stream"))
    shapes = Session(shape_model(model, streams)).run(first)
    sizes = {name: shapes[shape_name(name)].tolist() for name in streams}
    total = 0.0
    for node in lifted:
        op = weighted.get(node.op_type) if node.domain != DOMAIN else None
        if op is not None:
            total += multiplications(node, op, *_operands(node, op, model, sizes))
        else:
            total += sum(float(np.prod(sizes[name])) for name in node.output if name in sizes)
    return total / samples


def _computes(node: onnx.NodeProto, kinds: Mapping[str, str]) -> bool:
    """Whether a node is part of a lift and does more than move data."""
    if node.domain == DOMAIN:
        return isinstance(spiking_op(node), (Estimate, Increment))
    lifted = any(kinds.get(name) == "estimate" for name in node.input)
    return lifted and node.op_type not in FREE


def _operands(
    node: onnx.NodeProto, op: Weighted, model: SpikingModel, sizes: Mapping[str, list[int]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return ones for activations and, for weights, ones where they are not zero."""
    left, right = (
        np.ones(sizes[name], np.float32)
        if name in sizes
        else (model.initializers[name] != 0).astype(np.float32)
        for name in (node.input[i] for i in op.operands)
    )
    return left, right

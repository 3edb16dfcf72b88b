"""Multiply-accumulates (MACs) of an ANN: the multiplications its weighted operators really do.

Counted, not taken from a formula: each weighted operator is run once with ones for its activations
and, for its weights, 1 where they are not zero and 0 elsewhere. The sum of the result is the number
of multiplications: borders, strides, groups and pruned weights are exact, by the same rule as for
the synaptic operations of the spiking network. Biases, activations and normalisation are free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, inliner

from onnx2snn.ir.derive.parts import float_tensor, names_read
from onnx2snn.ir.ops import IR_VERSION, OPSET
from onnx2snn.ir.session import Session
from onnx2snn.ir.stored_weights import tensor_values


@dataclass(frozen=True)
class Weighted:
    """A weighted operator.

    Attributes:
        op_type: its name.
        operands: positions of activation and weight.
        float_form: the operator of float32 that multiplies the same pairs.
    """

    op_type: str
    operands: tuple[int, int]
    float_form: str


WEIGHTED: tuple[Weighted, ...] = (
    *(Weighted(op, (0, 1), op) for op in ("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum")),
    Weighted("ConvInteger", (0, 1), "Conv"),
    Weighted("MatMulInteger", (0, 1), "MatMul"),
    Weighted("QLinearConv", (0, 3), "Conv"),
    Weighted("QLinearMatMul", (0, 3), "MatMul"),
    Weighted("FusedConv", (0, 1), "Conv"),
)


def macs_per_sample(
    ann: onnx.ModelProto,
    feeds: Mapping[str, NDArray[np.generic]],
    samples: int = 1,
    weighted: tuple[Weighted, ...] = WEIGHTED,
) -> float:
    """Return the MACs of one sample.

    Args:
        ann: the ANN.
        feeds: its inputs, for ``samples`` samples.
        samples: batch size of ``feeds``.
        weighted: the operators that multiply.
    """
    model = inliner.inline_local_functions(ann) if ann.functions else ann
    known = {op.op_type: op for op in weighted}
    found = [(node, known[node.op_type]) for node in model.graph.node if node.op_type in known]
    if not found:
        return 0.0
    names = {node.input[i] for node, op in found for i in op.operands}
    values = _tensors(model, names, feeds)
    active = _activations(model, set(feeds))
    total = 0.0
    for node, op in found:
        operands = [
            np.ones(values[name].shape, np.float32)
            if name in active
            else (values[name] != 0).astype(np.float32)
            for name in (node.input[i] for i in op.operands)
        ]
        total += multiplications(node, op, *operands)
    return total / samples


def _activations(model: onnx.ModelProto, inputs: set[str]) -> set[str]:
    """Return the tensors that depend on the inputs; all others are weights."""
    active = set(inputs)
    for node in model.graph.node:
        if active.intersection(names_read(node)):
            active.update(node.output)
    return active


def _tensors(
    model: onnx.ModelProto, names: set[str], feeds: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    """Return the values of named tensors: activations and weights."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    known = {output.name for output in probe.graph.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    computed = sorted(names - set(constants) - set(feeds))
    probe.graph.output.extend(onnx.ValueInfoProto(name=n) for n in computed if n not in known)
    values = Session(probe, optimised=False).run(feeds, computed) if computed else {}
    stored = {name: tensor_values(constants[name]) for name in names & set(constants)}
    return {**feeds, **stored, **values}


def multiplications(
    node: onnx.NodeProto, op: Weighted, left: NDArray[np.float32], right: NDArray[np.float32]
) -> float:
    """Return the sum of the operator's result for operands of zeros and ones."""
    single = helper.make_node(op.float_form, ["x", "w"], ["y"])
    skipped = ("alpha", "beta", "activation", "activation_params")
    single.attribute.extend(a for a in node.attribute if a.name not in skipped)
    graph = helper.make_graph(
        [single], "macs", [float_tensor("x"), float_tensor("w")], [float_tensor("y")]
    )
    opset = helper.make_opsetid("", OPSET)
    session = Session(helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION))
    return float(np.asarray(session.run({"x": left, "w": right})["y"]).sum(dtype=np.float64))

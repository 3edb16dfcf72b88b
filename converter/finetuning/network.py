"""The canonical ANN as a differentiable function of its parameters and inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from onnx2snn.converter.finetuning.operators import OPERATORS, Operands
from onnx2snn.ir.errors import InvariantError, UnsupportedOpError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.session import Session, Tensors

Parameters = Mapping[str, Any]
"""Trainable tensors by the name of their initializer."""

TRAINED_OPERANDS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (0, 1),
    "BatchNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "RMSNorm": (1,),
    "Add": (0, 1),
    "Mul": (0, 1),
}
"""Which operands are trained where they are initializers of more than one number."""

_READ_OUTS = ("Softmax", "LogSoftmax")
_TOLERANCE = 1e-3
"""Relative to the largest output; sums of float32 in another order stay far below it."""


@dataclass(frozen=True)
class Network:
    """A differentiable network.

    Attributes:
        model: the canonical ANN it was made of.
        nodes: the nodes that lead to the heads, in order.
        attributes: of each of them, read once: a training runs them thousands of times.
        constants: tensors that are not trained, by name.
        heads: the tensors that the loss compares: the float outputs, taken before a final Softmax.
        inputs: names of the graph inputs.
    """

    model: onnx.ModelProto
    nodes: tuple[onnx.NodeProto, ...]
    attributes: tuple[Mapping[str, Any], ...]
    constants: Mapping[str, Any]
    heads: tuple[str, ...]
    inputs: tuple[str, ...]

    def run(
        self,
        parameters: Parameters,
        feeds: Mapping[str, Any],
        activations: Mapping[str, Any] | None = None,
        keep: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """Compute the heads.

        Args:
            parameters: trainable tensors by initializer name.
            feeds: input tensors [N, ...] by name.
            activations: functions that stand for nodes, by node name.
            keep: further tensors to return.

        Returns:
            Heads and kept tensors by name.
        """
        replaced = activations or {}
        values: dict[str, Any] = {**self.constants, **parameters, **feeds}
        wanted = {*self.heads, *keep}
        for node, attributes in zip(self.nodes, self.attributes, strict=True):
            operands: Operands = [values[name] if name else None for name in node.input]
            if node.name in replaced:
                result = replaced[node.name](operands[0])
            else:
                result = OPERATORS[node.op_type](operands, attributes)
            results = result if isinstance(result, tuple) else (result,)
            values.update(zip(node.output, results, strict=False))
        return {name: values[name] for name in wanted}


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node as Python values, texts as str."""
    found = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    return {name: v.decode() if isinstance(v, bytes) else v for name, v in found.items()}


def build_network(model: onnx.ModelProto, device: str = "cpu") -> tuple[Network, dict[str, Any]]:
    """Build the differentiable network of a canonical ANN.

    Args:
        model: the canonical ANN.
        device: where constants and parameters live.

    Returns:
        The network and its parameters.

    Raises:
        UnsupportedOpError: operators that have no torch form here; all of them.
    """
    heads = _heads(model)
    nodes = _leading_to(model, heads)
    _refuse_unknown(model, nodes)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    trained = _trained_names(nodes, stored)
    tensors = {n: torch.tensor(value, device=_place(value, device)) for n, value in stored.items()}
    parameters = {n: tensor for n, tensor in tensors.items() if n in trained}
    constants = {n: tensor for n, tensor in tensors.items() if n not in trained}
    inputs = tuple(info.name for info in model.graph.input if info.name not in stored)
    attributes = tuple(attributes_of(node) for node in nodes)
    return Network(model, nodes, attributes, constants, heads, inputs), parameters


def judge_network(network: Network, parameters: Parameters, feeds: Tensors, device: str) -> None:
    """Raise unless the torch form computes what onnxruntime does.

    Raises:
        InvariantError: it does not.
    """
    judged = onnx.ModelProto()
    judged.CopyFrom(network.model)
    known = {output.name for output in judged.graph.output}
    judged.graph.output.extend(
        helper.make_empty_tensor_value_info(name) for name in network.heads if name not in known
    )
    expected = Session(judged, optimised=False).run(feeds, list(network.heads))
    with torch.no_grad():
        found = network.run(parameters, to_torch(feeds, device))
    for name in network.heads:
        wanted, value = expected[name], found[name].cpu().numpy()
        scale = max(float(np.abs(wanted).max()), 1e-6)
        if value.shape != wanted.shape or np.abs(value - wanted).max() > _TOLERANCE * scale:
            raise InvariantError(
                f"the torch form of this network computes another '{name}' than onnxruntime",
                remedy="please report this as a bug, with the model if you may",
            )


def to_torch(feeds: Tensors, device: str) -> dict[str, Any]:
    """Return arrays as torch tensors."""
    return {name: torch.from_numpy(np.ascontiguousarray(v)).to(device) for name, v in feeds.items()}


def _heads(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the float outputs, or what a final Softmax reads."""
    producers = {name: node for node in model.graph.node for name in node.output}
    heads: dict[str, None] = {}
    for output in model.graph.output:
        if output.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
            continue
        node, name = producers.get(output.name), output.name
        while node is not None and node.op_type in (*_READ_OUTS, "Identity"):
            name = node.input[0]
            node = producers.get(name)
        heads[name] = None
    if not heads:
        raise UnsupportedOpError(
            "the network has no float output that a loss could compare",
            remedy="export the scores (logits or probabilities) as an output, too",
        )
    return tuple(heads)


def _leading_to(model: onnx.ModelProto, heads: tuple[str, ...]) -> tuple[onnx.NodeProto, ...]:
    """Return the nodes that the heads depend on, in the order of the graph."""
    needed, kept = set(heads), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed.update(node.input)
    return tuple(reversed(kept))


def _refuse_unknown(model: onnx.ModelProto, nodes: tuple[onnx.NodeProto, ...]) -> None:
    unknown = [node for node in nodes if node.op_type not in OPERATORS]
    if unknown:
        raise UnsupportedOpError(
            f"{len(unknown)} node(s) cannot be trained",
            remedy="fine-tune in the framework the network comes from, and export it again",
            findings=[
                Finding(
                    code="untrainable",
                    severity="error",
                    message=f"has no gradient here (opset {model.opset_import[0].version})",
                    node=node.name,
                    op=node.op_type,
                )
                for node in unknown
            ],
        )


def _trained_names(nodes: tuple[onnx.NodeProto, ...], stored: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(
        node.input[index]
        for node in nodes
        for index in TRAINED_OPERANDS.get(node.op_type, ())
        if index < len(node.input)
        and node.input[index] in stored
        and stored[node.input[index]].dtype == np.float32
        and stored[node.input[index]].size > 1
    )


def _place(value: Any, device: str) -> str:
    """Shapes and axes stay on the CPU, where Python reads them."""
    return device if value.dtype.kind == "f" or value.size > 64 else "cpu"

"""``SimplifiedLayerNormalization`` of ONNX Runtime becomes the standard operators it stands for.

    SimplifiedLayerNormalization(x, s)  →  x / Sqrt(mean(x^2) + epsilon) * s

ONNX Runtime's optimiser writes it into the standard domain, where no ONNX specification has it, so
onnx.checker refuses the file. This runs before the checker.
Source: onnxruntime docs/ContribOperators.md; Zhang and Sennrich, NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import helper

from onnx2snn.converter.source.content import STANDARD
from onnx2snn.converter.source.limits import all_graphs

NAME = "SimplifiedLayerNormalization"
_AXES_AS_INPUT = 18
"""Opset from which on ReduceMean takes its axes as an input."""


def expand_simplified_norm(model: onnx.ModelProto, opset: int) -> None:
    """Rewrite every such node, in place; those with further outputs are left to be refused."""
    for graph in all_graphs(model.graph):
        nodes = list(graph.node)
        if not any(_is_simplified(node) for node in nodes):
            continue
        written = [
            part
            for node in nodes
            for part in (_expanded(node, opset) if _is_simplified(node) else (node,))
        ]
        del graph.node[:]
        graph.node.extend(written)


def _is_simplified(node: onnx.NodeProto) -> bool:
    further = any(node.output[1:])
    return node.op_type == NAME and node.domain in STANDARD and not further


def _expanded(node: onnx.NodeProto, opset: int) -> Iterator[onnx.NodeProto]:
    given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    axis, epsilon = int(given.get("axis", -1)), float(given.get("epsilon", 1e-5))
    x, scale = node.input
    name = node.name or node.output[0]
    square, mean, shifted = f"{name}.square", f"{name}.mean", f"{name}.shifted"
    root, normal, small = f"{name}.root", f"{name}.normal", f"{name}.epsilon"
    yield helper.make_node("Constant", [], [small], small, value_float=epsilon)
    yield helper.make_node("Mul", [x, x], [square], square)
    if opset >= _AXES_AS_INPUT:
        axes = f"{name}.axes"
        yield helper.make_node("Constant", [], [axes], axes, value_ints=[axis])
        yield helper.make_node("ReduceMean", [square, axes], [mean], mean, keepdims=1)
    else:
        yield helper.make_node("ReduceMean", [square], [mean], mean, axes=[axis], keepdims=1)
    yield helper.make_node("Add", [mean, small], [shifted], shifted)
    yield helper.make_node("Sqrt", [shifted], [root], root)
    yield helper.make_node("Div", [x, root], [normal], normal)
    yield helper.make_node("Mul", [normal, scale], [node.output[0]], node.name)

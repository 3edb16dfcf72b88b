"""Model-local functions of the canonical ANN: activations that opset 21 has no operator for.

A recognised composite activation stands in the canonical graph as one node of the domain
``onnx2snn.ann``. Its body is made of standard operators, so ONNX Runtime still runs the canonical
ANN, and inlining it gives a form that the same pass recognises again.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import onnx.inliner
import onnx_graphsurgeon as gs
from onnx import helper, parser

from onnx2snn.ir.ops import DOMAIN, DOMAIN_VERSION, IR_VERSION, OPSET

ANN_DOMAIN = "onnx2snn.ann"


def ann_function(text: str) -> onnx.FunctionProto:
    """Parse a function of the domain ``onnx2snn.ann`` from ``signature { body }`` text."""
    return parser.parse_function(f'<domain: "{ANN_DOMAIN}", opset_import: ["": {OPSET}]>\n{text}')


def is_ann(node: gs.Node | None, *ops: str) -> bool:
    """Whether the node is one of these functions of the canonical ANN."""
    return bool(node is not None and node.domain == ANN_DOMAIN and node.op in ops)


def attach(graph: gs.Graph, body: onnx.FunctionProto) -> None:
    """Give the graph the definition of a function, if it does not have it yet."""
    if any(f.name == body.name and f.domain == body.domain for f in graph.functions):
        return
    empty = helper.make_model(
        helper.make_graph([], "functions", [], []),
        functions=[body],
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(body.domain, 1)],
        ir_version=IR_VERSION,
    )
    graph.functions = [*graph.functions, *gs.import_onnx(empty).functions]


def inline(graph: onnx.GraphProto, bodies: Sequence[onnx.FunctionProto]) -> onnx.GraphProto:
    """Return the graph with every ``onnx2snn.ann`` node replaced by its standard operators.

    The one that computes the result keeps the node's name.
    """
    names = {node.output[0]: node.name for node in graph.node if node.domain == ANN_DOMAIN}
    used = {node.op_type for node in graph.node if node.domain == ANN_DOMAIN}
    if not used:
        return graph
    domains = {"": OPSET, ANN_DOMAIN: 1, DOMAIN: DOMAIN_VERSION, "ai.onnx.ml": 4}
    model = helper.make_model(
        graph,
        functions=[body for body in bodies if body.name in used],
        opset_imports=[helper.make_opsetid(name, version) for name, version in domains.items()],
        ir_version=IR_VERSION,
    )
    inlined = onnx.inliner.inline_local_functions(model).graph
    for node in inlined.node:
        if node.output and node.output[0] in names:
            node.name = names[node.output[0]]
    return inlined

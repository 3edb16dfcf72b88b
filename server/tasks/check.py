"""Task: what a conversion would make of a model, node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from onnx2snn.converter.check import check
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.errors import ModelError
from onnx2snn.server.sandbox import Progress
from onnx2snn.server.tasks.memory import OUT_OF_MEMORY, is_about_memory

MAX_GRAPH_NODES = 2000
MAX_LISTED_NODES = 20_000


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Check a model.

    Args:
        arguments: ``model`` (file name in ``in/``), ``preset``, ``strict``.
        folder: of the task.
        progress: told what is going on.

    Returns:
        The check report, with the inputs, outputs, operators and graph of the model.
    """
    path = folder / "in" / arguments["model"]
    progress("check", 0.0)
    report = check(path, preset=arguments["preset"], strict=arguments["strict"])
    answer = report.model_dump(mode="json")
    answer["name"] = path.stem
    answer["nodes"] = answer["nodes"][:MAX_LISTED_NODES]
    answer["findings"] = [_told(finding) for finding in answer["findings"][:1000]]
    answer |= {"inputs": [], "outputs": [], "operators": {}, "graph": None}
    if report.source is not None:
        try:
            answer |= _facts(path)
        except ModelError:
            progress("check", 1.0)
    return answer


def _told(finding: dict[str, Any]) -> dict[str, Any]:
    if not is_about_memory(finding["message"]):
        return finding
    return OUT_OF_MEMORY.model_dump(mode="json")


def _facts(path: Path) -> dict[str, Any]:
    graph = read_model(path).model.graph
    constants = {initializer.name for initializer in graph.initializer}
    operators: dict[str, int] = {}
    for node in graph.node:
        operators[node.op_type] = operators.get(node.op_type, 0) + 1
    return {
        "inputs": [_value(item) for item in graph.input if item.name not in constants],
        "outputs": [_value(item) for item in graph.output],
        "operators": dict(sorted(operators.items())),
        "graph": _edges(graph),
    }


def _value(item: onnx.ValueInfoProto) -> dict[str, Any]:
    tensor = item.type.tensor_type
    shape = [
        d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in tensor.shape.dim
    ]
    return {
        "name": item.name,
        "type": onnx.TensorProto.DataType.Name(tensor.elem_type).lower(),
        "shape": shape,
    }


def _edges(graph: onnx.GraphProto) -> dict[str, Any]:
    """Return nodes and edges between them, up to a number that a page can draw."""
    nodes = list(graph.node)[:MAX_GRAPH_NODES]
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    edges = [
        [maker[name], index]
        for index, node in enumerate(nodes)
        for name in dict.fromkeys(node.input)
        if name in maker
    ]
    return {
        "nodes": [{"name": node.name, "op": node.op_type} for node in nodes],
        "edges": edges,
        "truncated": len(graph.node) > MAX_GRAPH_NODES,
    }

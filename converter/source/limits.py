"""How large a model is, counted on the parsed protobuf before anything else looks at it.

onnx.checker and shape inference hang or crash on models of a few kilobytes: functions that call
each other twice, thirty levels deep, expand to 2^30 nodes. The counts here cost one walk.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx

from onnx2snn.ir.findings import Finding

FunctionId = tuple[str, str, str]


@dataclass(frozen=True)
class Limits:
    """What a model may measure.

    Attributes:
        max_bytes: file and external data together; protobuf itself ends at 2 GiB.
        max_nodes: nodes as written, with those in nested graphs and functions.
        max_initializer_elements: numbers in all constants together.
        max_nesting: graphs inside nodes inside graphs ..., and functions calling functions.
        max_functions: model-local functions.
        max_expanded_nodes: nodes once every function call is replaced by its body.
    """

    max_bytes: int = 2**31 - 1
    max_nodes: int = 100_000
    max_initializer_elements: int = 2**29
    max_nesting: int = 16
    max_functions: int = 2_000
    max_expanded_nodes: int = 200_000


def check_limits(model: onnx.ModelProto, limits: Limits) -> list[Finding]:
    """Every limit that the model exceeds, and every function that calls itself."""
    levels = [*walk_levels(model.graph), *_function_levels(model)]
    counts = [
        ("nodes", sum(len(nodes) for _, nodes in levels), limits.max_nodes),
        ("constant elements", _count_elements(model, levels), limits.max_initializer_elements),
        ("nested graphs", max((depth for depth, _ in levels), default=0), limits.max_nesting),
        ("functions", len(model.functions), limits.max_functions),
    ]
    findings = [_too_large(what, count, most) for what, count, most in counts if count > most]
    return findings or _check_expansion(model, limits)


def walk_levels(graph: onnx.GraphProto) -> Iterator[tuple[int, list[onnx.NodeProto]]]:
    """Nesting depth and nodes of the graph and of every graph inside it."""
    pending = [(0, graph)]
    while pending:
        depth, current = pending.pop()
        nodes = list(current.node)
        yield depth, nodes
        pending += [(depth + 1, inner) for node in nodes for inner in inner_graphs(node)]


def inner_graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs a node carries in its attributes."""
    graphs = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return graphs + [graph for attribute in node.attribute for graph in attribute.graphs]


def all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Every node: of the graph, of graphs inside nodes, of functions."""
    for _, nodes in (*walk_levels(model.graph), *_function_levels(model)):
        yield from nodes


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and every graph inside its nodes."""
    pending = [graph]
    while pending:
        current = pending.pop()
        yield current
        pending += [inner for node in current.node for inner in inner_graphs(node)]


def constant_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor stored in the model: initializers, sparse ones, and attributes of nodes."""
    for graph in all_graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in all_nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def element_count(tensor: onnx.TensorProto | onnx.SparseTensorProto) -> int:
    """How many numbers the dims of a tensor claim; negative entries count as nothing."""
    return math.prod(max(dim, 0) for dim in tensor.dims)


def _count_elements(model: onnx.ModelProto, levels: list[tuple[int, list[onnx.NodeProto]]]) -> int:
    total = sum(element_count(tensor) for tensor in constant_tensors(model))
    for graph in all_graphs(model.graph):
        total += sum(element_count(sparse) for sparse in graph.sparse_initializer)
    for _, nodes in levels:
        for node in nodes:
            total += sum(
                element_count(attribute.sparse_tensor)
                for attribute in node.attribute
                if attribute.HasField("sparse_tensor")
            )
    return total


def _function_levels(model: onnx.ModelProto) -> Iterator[tuple[int, list[onnx.NodeProto]]]:
    for function in model.functions:
        yield 0, list(function.node)
        for node in function.node:
            for inner in inner_graphs(node):
                for depth, nodes in walk_levels(inner):
                    yield depth + 1, nodes


def _check_expansion(model: onnx.ModelProto, limits: Limits) -> list[Finding]:
    """Count what inlining would write, on the graph of calls: each function once."""
    bodies = {(f.domain, f.name, f.overload): f for f in model.functions}
    sizes: dict[FunctionId, int] = {}
    depths: dict[FunctionId, int] = {}
    for function in _callees_first(bodies):
        if function is None:
            return [_recursive()]
        calls = [_call(node) for node in _body_nodes(bodies[function])]
        sizes[function] = sum(sizes.get(call, 1) for call in calls)
        depths[function] = 1 + max((depths.get(call, 0) for call in calls), default=0)
    called = [_call(node) for _, nodes in walk_levels(model.graph) for node in nodes]
    counts = [
        (
            "nodes after inlining its functions",
            sum(sizes.get(call, 1) for call in called),
            limits.max_expanded_nodes,
        ),
        (
            "functions inside functions",
            max((depths.get(call, 0) for call in called), default=0),
            limits.max_nesting,
        ),
    ]
    return [_too_large(what, count, most) for what, count, most in counts if count > most]


def _callees_first(
    bodies: Mapping[FunctionId, onnx.FunctionProto],
) -> Iterator[FunctionId | None]:
    """Functions in an order in which each comes after those it calls; None at a circle."""
    waiting = {
        name: {call for node in _body_nodes(body) if (call := _call(node)) in bodies}
        for name, body in bodies.items()
    }
    callers: dict[FunctionId, list[FunctionId]] = {name: [] for name in bodies}
    for name, calls in waiting.items():
        for call in calls:
            callers[call].append(name)
    ready = [name for name, calls in waiting.items() if not calls]
    done = 0
    while ready:
        name = ready.pop()
        done += 1
        yield name
        for caller in callers[name]:
            waiting[caller].discard(name)
            if not waiting[caller]:
                ready.append(caller)
    if done < len(bodies):
        yield None


def _body_nodes(function: onnx.FunctionProto) -> list[onnx.NodeProto]:
    nodes = list(function.node)
    for node in function.node:
        for inner in inner_graphs(node):
            nodes += [item for _, level in walk_levels(inner) for item in level]
    return nodes


def _call(node: onnx.NodeProto) -> FunctionId:
    return (node.domain, node.op_type, node.overload)


def _too_large(what: str, count: int, most: int) -> Finding:
    return Finding(
        code="model-too-large",
        message=f"the model has {count} {what}; the limit is {most}",
        severity="error",
        remedy="convert a smaller model, or raise the limit if you trust the file",
    )


def _recursive() -> Finding:
    return Finding(
        code="recursive-function",
        message="a model-local function calls itself, directly or through others",
        severity="error",
        remedy="export the model again without recursive functions",
    )

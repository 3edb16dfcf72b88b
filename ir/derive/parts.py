"""The three parts of a spiking graph: before, in and after the streams."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import onnx
from onnx import helper

from onnx2snn.ir.ops import DOMAIN, DOMAIN_VERSION, IR_VERSION, OPSET, RunningReadOut, spiking_op


@dataclass(frozen=True)
class Parts:
    """The nodes of a spiking graph, each part in topological order.

    Attributes:
        prologue: works on raw inputs and constants; runs once.
        body: works on streams, ``DirectCurrent`` and ``ReadOut`` included; runs for each timestep.
        head: works on decoded values; runs once.
    """

    prologue: tuple[onnx.NodeProto, ...]
    body: tuple[onnx.NodeProto, ...]
    head: tuple[onnx.NodeProto, ...]


def split_parts(graph: onnx.GraphProto) -> Parts:
    """Split the nodes of a spiking graph into prologue, body and head."""
    prologue, body, head = [], [], []
    in_body: set[str] = set()
    in_head: set[str] = set()
    for node in graph.node:
        read = set(names_read(node))
        if node.domain == DOMAIN or read & in_body:
            body.append(node)
            decoded = node.domain == DOMAIN and isinstance(spiking_op(node), RunningReadOut)
            (in_head if decoded else in_body).update(node.output)
        elif read & in_head:
            head.append(node)
            in_head.update(node.output)
        else:
            prologue.append(node)
    return Parts(tuple(prologue), tuple(body), tuple(head))


def names_read(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the tensors a node reads, those captured by its subgraphs included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            made = {t.name for t in (*graph.input, *graph.initializer)}
            made.update(name for inner in graph.node for name in inner.output)
            for inner in graph.node:
                yield from (name for name in names_read(inner) if name not in made)


def upstream(
    nodes: Sequence[onnx.NodeProto], outputs: Iterable[str], stop: Collection[str] = ()
) -> list[onnx.NodeProto]:
    """Return those of ``nodes`` that ``outputs`` depend on, looking no further than ``stop``."""
    needed = set(outputs) - set(stop)
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed.update(name for name in names_read(node) if name not in stop)
    return kept[::-1]


def assemble(
    like: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    functions: Sequence[onnx.FunctionProto],
    initializers: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    """Build a model from nodes of a spiking model, with the initializers those nodes read.

    Args:
        like: the spiking model the nodes come from: gives initializers and foreign opsets.
        nodes: in topological order.
        inputs: graph inputs; an initializer of the same name stays as the default.
        outputs: graph outputs.
        functions: bodies of the ``onnx2snn`` operators among ``nodes``.
        initializers: constants beside those of ``like``.
    """
    read = {name for node in nodes for name in names_read(node)}
    read.update(value.name for value in (*inputs, *outputs))
    kept = [t for t in (*like.graph.initializer, *initializers) if t.name in read]
    graph = helper.make_graph(nodes, like.graph.name or "graph", inputs, outputs, kept)
    versions = {entry.domain: entry.version for entry in like.opset_import}
    versions |= {"": OPSET, DOMAIN: DOMAIN_VERSION}
    return helper.make_model(
        graph,
        functions=list(functions),
        opset_imports=[helper.make_opsetid(name, number) for name, number in versions.items()],
        ir_version=IR_VERSION,
        producer_name="onnx2snn",
    )


def float_tensor(name: str, shape: Sequence[int | str | None] | None = None) -> onnx.ValueInfoProto:
    """Return the declaration of a float32 tensor."""
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

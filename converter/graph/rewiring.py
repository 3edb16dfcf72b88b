"""The few moves on an onnx-graphsurgeon graph that every pass is made of.

onnx-graphsurgeon keeps readers and producers of each tensor in step with the nodes. What it does
not keep is what a pass must promise: that the graph's outputs keep their names, that constants
shared with other nodes stay as they are, and that nodes stay in topological order.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

STANDARD_DOMAINS = (None, "", "ai.onnx")


def is_op(node: gs.Node | None, *ops: str) -> bool:
    """Whether the node is one of these standard ONNX operators."""
    return bool(node is not None and node.op in ops and node.domain in STANDARD_DOMAINS)


def has_subgraph(node: gs.Node) -> bool:
    """Whether the node carries a graph of its own (If, Loop, Scan, ...)."""
    return any(isinstance(value, gs.Graph) for value in node.attrs.values())


def captured(node: gs.Node) -> list[gs.Tensor]:
    """Tensors that the graphs inside a node take from outside."""
    found: dict[str, gs.Tensor] = {}
    for graph in (value for value in node.attrs.values() if isinstance(value, gs.Graph)):
        made = {tensor.name for tensor in graph.inputs}
        made.update(tensor.name for inner in graph.nodes for tensor in inner.outputs)
        read = [t for inner in graph.nodes for t in (*inner.inputs, *captured(inner))]
        taken = [t for t in (*read, *graph.outputs) if isinstance(t, gs.Variable)]
        found.update((t.name, t) for t in taken if t.name and t.name not in made)
    return list(found.values())


def operand(node: gs.Node, index: int) -> gs.Tensor | None:
    """The input at this index, or None where it is left out."""
    if index >= len(node.inputs) or node.inputs[index].is_empty():
        return None
    return node.inputs[index]


def constant_values(tensor: gs.Tensor | None) -> NDArray[np.generic] | None:
    """The values of a constant; None if the tensor is no constant."""
    if not isinstance(tensor, gs.Constant):
        return None
    values: NDArray[np.generic] = np.asarray(tensor.values)
    return values


def constant_operand(node: gs.Node, index: int) -> NDArray[np.generic] | None:
    """The values of a constant input; None if it is left out or computed."""
    return constant_values(operand(node, index))


def scalar_value(tensor: gs.Tensor | None) -> float | None:
    """The value of a constant that holds one number only, however often it repeats it."""
    if not isinstance(tensor, gs.Constant) or np.prod(tensor.shape, dtype=np.int64) == 0:
        return None
    values = np.asarray(tensor.values)
    if values.dtype.kind not in "fiub" or not np.all(values == values.flat[0]):
        return None
    return float(values.flat[0])


def producer(tensor: gs.Tensor | None) -> gs.Node | None:
    """The node that computes the tensor; None for constants and graph inputs."""
    if tensor is None or isinstance(tensor, gs.Constant) or not tensor.inputs:
        return None
    return tensor.inputs[0]


def is_output(graph: gs.Graph, tensor: gs.Tensor) -> bool:
    """Whether the tensor is an output of the graph."""
    return any(output is tensor for output in graph.outputs)


def is_input(graph: gs.Graph, tensor: gs.Tensor) -> bool:
    """Whether the tensor is an input of the graph."""
    return any(item is tensor for item in graph.inputs)


def sole_reader(graph: gs.Graph, tensor: gs.Tensor) -> gs.Node | None:
    """The one node that reads the tensor, once; None if it is also read elsewhere or an output."""
    if len(tensor.outputs) != 1 or is_output(graph, tensor):
        return None
    return tensor.outputs[0]


def rank(tensor: gs.Tensor | None) -> int | None:
    """Number of axes, where known."""
    if tensor is None or tensor.shape is None:
        return None
    return len(tensor.shape)


def static_dims(tensor: gs.Tensor | None) -> list[int | None] | None:
    """The tensor's shape with None for each entry that is not a fixed number."""
    if tensor is None or tensor.shape is None:
        return None
    return [int(dim) if isinstance(dim, int | np.integer) else None for dim in tensor.shape]


class Names:
    """Hands out tensor and node names that the graph does not use yet."""

    def __init__(self, graph: gs.Graph) -> None:
        self._used = {node.name for node in graph.nodes}
        for level in (graph, *graph.subgraphs(recursive=True)):
            for node in level.nodes:
                self._used.update(tensor.name for tensor in (*node.inputs, *node.outputs))
            self._used.update(tensor.name for tensor in (*level.inputs, *level.outputs))

    def fresh(self, wanted: str) -> str:
        """The wanted name, or that name with the first free number."""
        name, number = wanted, 1
        while name in self._used:
            number += 1
            name = f"{wanted}_{number}"
        self._used.add(name)
        return name


def replace_operand(node: gs.Node, index: int, tensor: gs.Tensor) -> None:
    """Make the node read this tensor at this index."""
    while len(node.inputs) <= index:
        node.inputs.append(gs.Variable.empty())
    node.inputs[index] = tensor


def set_constant(
    node: gs.Node, index: int, values: NDArray[np.generic], names: Names, label: str
) -> None:
    """Give the node its own constant at this index, so that no other reader is touched.

    A constant that only this node reads is replaced under its own name.
    """
    old = operand(node, index)
    if isinstance(old, gs.Constant) and len(old.outputs) == 1:
        name = old.name
    else:
        name = names.fresh(f"{node.name}.{label}")
    replace_operand(node, index, gs.Constant(name, np.array(values, order="C")))


def insert_before(graph: gs.Graph, anchor: gs.Node, *nodes: gs.Node) -> None:
    """Put nodes in front of another one, in this order."""
    position = next(i for i, node in enumerate(graph.nodes) if node is anchor)
    graph.nodes[position:position] = list(nodes)


def insert_after(graph: gs.Graph, anchor: gs.Node, *nodes: gs.Node) -> None:
    """Put nodes behind another one, in this order."""
    position = next(i for i, node in enumerate(graph.nodes) if node is anchor)
    graph.nodes[position + 1 : position + 1] = list(nodes)


def redirect(graph: gs.Graph, old: gs.Tensor, new: gs.Tensor) -> bool:
    """Let everything that reads ``old`` read ``new``; False if an output name would be lost.

    If ``old`` is a graph output, ``new`` takes over its name. That is impossible when ``new`` is a
    constant, a graph input or an output itself: then nothing is changed.
    """
    if old is new:
        return True
    if is_output(graph, old):
        if isinstance(new, gs.Constant) or is_input(graph, new) or is_output(graph, new):
            return False
        old.name, new.name = new.name, old.name
        new.dtype, new.shape = old.dtype, old.shape
        graph.outputs = [new if output is old else output for output in graph.outputs]
    for reader in list(old.outputs):
        for index, tensor in enumerate(reader.inputs):
            if tensor is old:
                reader.inputs[index] = new
    return True


def bypass(graph: gs.Graph, node: gs.Node, index: int = 0) -> bool:
    """Take a node out: its readers read its input instead. False if that is impossible."""
    source = node.inputs[index]
    if not redirect(graph, node.outputs[0], source):
        return False
    detach([node])
    graph.nodes = [item for item in graph.nodes if item is not node]
    return True


def detach(nodes: Iterable[gs.Node]) -> None:
    """Cut nodes, and the graphs inside them, off from all tensors."""
    for node in nodes:
        node.inputs.clear()
        node.outputs.clear()
        for value in node.attrs.values():
            if isinstance(value, gs.Graph):
                detach(value.nodes)


def drop_dead(graph: gs.Graph) -> list[gs.Node]:
    """Remove the nodes that nothing reads, and return them."""
    wanted = {id(output) for output in graph.outputs}
    dead = []
    for node in reversed(graph.nodes):
        if not any(id(tensor) in wanted or tensor.outputs for tensor in node.outputs):
            dead.append(node)
            detach([node])
    if dead:
        gone = {id(node) for node in dead}
        graph.nodes = [node for node in graph.nodes if id(node) not in gone]
    return dead[::-1]

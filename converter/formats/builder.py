"""Writes the nodes that stand in for one node."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from onnx2snn.converter.graph.rewiring import Names, detach, insert_before, redirect

Operand: TypeAlias = gs.Tensor | NDArray[np.generic] | float | list[int] | None


class Builder:
    """Collects standard nodes in the place of ``node``.

    One of them may keep the node's name, so that what becomes of it can be followed: the one that
    is built with ``main=True``.
    """

    def __init__(self, graph: gs.Graph, node: gs.Node, names: Names) -> None:
        self._graph = graph
        self._node = node
        self._names = names
        self._built: list[gs.Node] = []

    def op(
        self, op: str, *inputs: Operand, outputs: int = 1, main: bool = False, **attrs: object
    ) -> gs.Variable:
        """Add a node and return its first output.

        Args:
            op: a standard operator.
            *inputs: tensors; arrays and numbers become constants (numbers: float32, lists:
                int64); None is an input left out.
            outputs: how many there are.
            main: the node keeps the name of the replaced one.
            **attrs: attributes.
        """
        return self.ops(op, *inputs, outputs=outputs, main=main, **attrs)[0]

    def ops(
        self, op: str, *inputs: Operand, outputs: int = 1, main: bool = False, **attrs: object
    ) -> list[gs.Variable]:
        """Add a node and return all its outputs."""
        name = self._node.name if main else self._names.fresh(f"{self._node.name}.{op}")
        tensors = [self._tensor(item) for item in inputs]
        while tensors and tensors[-1].is_empty():
            tensors.pop()
        made = [gs.Variable(self._names.fresh(f"{name}.out")) for _ in range(outputs)]
        self._built.append(gs.Node(op, name, attrs, tensors, made))
        return made

    def constant(self, values: NDArray[np.generic] | float | list[int]) -> gs.Constant:
        """Store values."""
        if isinstance(values, float | int):
            values = np.asarray(values, np.float32)
        elif isinstance(values, list):
            values = np.asarray(values, np.int64)
        name = self._names.fresh(f"{self._node.name}.constant")
        return gs.Constant(name, np.array(values, order="C"))

    def replace(self, *results: gs.Variable) -> None:
        """Put the nodes in the place of the replaced one, these being its outputs."""
        old = list(self._node.outputs)
        self.place()
        for before, after in zip(old, results, strict=False):
            if not before.is_empty():
                redirect(self._graph, before, after)
        self.remove()

    def place(self) -> None:
        """Put the nodes in front of the one to be replaced."""
        insert_before(self._graph, self._node, *self._built)

    def remove(self) -> None:
        """Take the replaced node out."""
        detach([self._node])
        self._graph.nodes = [item for item in self._graph.nodes if item is not self._node]

    def _tensor(self, item: Operand) -> gs.Tensor:
        if item is None:
            return gs.Variable.empty()
        if isinstance(item, gs.Tensor):
            return item
        return self.constant(item)

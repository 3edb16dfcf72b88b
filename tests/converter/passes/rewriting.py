"""A pass applied to a net written as text, and both sides run in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from tests.nets import build

from onnx2snn.converter.graph.observed_shapes import settle_symbols
from onnx2snn.converter.graph.shapes import annotate_shapes, to_model
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.ir.findings import Change

Pass = Callable[[gs.Graph], list[Change]]


def annotated(model: onnx.ModelProto) -> gs.Graph:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = gs.import_onnx(copy)
    for tensor in graph.tensors().values():
        if isinstance(tensor, gs.Constant):
            np.asarray(tensor.values)  # a constant is written in another field once it was read
    annotate_shapes(graph)
    settle_symbols(graph)
    return graph


@dataclass(frozen=True)
class Rewritten:
    before: onnx.ModelProto
    after: onnx.ModelProto
    changes: list[Change]
    again: list[Change]

    @property
    def ops(self) -> list[str]:
        return [node.op_type for node in self.after.graph.node]

    @property
    def names(self) -> list[str]:
        return [node.name for node in self.after.graph.node]

    def node(self, name: str) -> onnx.NodeProto:
        return next(node for node in self.after.graph.node if node.name == name)

    def attributes(self, name: str) -> dict[str, object]:
        return {
            item.name: onnx.helper.get_attribute_value(item) for item in self.node(name).attribute
        }

    def constant(self, name: str) -> np.ndarray:
        found = next(item for item in self.after.graph.initializer if item.name == name)
        return onnx.numpy_helper.to_array(found)

    def operand(self, node: str, index: int) -> np.ndarray:
        return self.constant(self.node(node).input[index])

    def difference(self, batch: int = 3) -> float:
        """Largest difference of any output, relative to the largest value of that output."""
        source, result = Execution(self.before), Execution(self.after)
        feeds = source.feeds(batch, seed=4)
        wanted, found = source.run(feeds), result.run(feeds)
        assert wanted.keys() == found.keys()
        differences = []
        for name, value in wanted.items():
            assert found[name].shape == value.shape
            scale = max(float(np.abs(value).max()), 1e-6)
            differences.append(float(np.abs(found[name] - value).max()) / scale)
        return max(differences)


def rewrite(text: str | onnx.ModelProto, *passes: Pass) -> Rewritten:
    """Apply passes one after the other; the last one is applied once more."""
    before = build(text) if isinstance(text, str) else text
    onnx.checker.check_model(before)
    graph = annotated(before)
    changes: list[Change] = []
    for step in passes:
        changes = step(graph)
        annotate_shapes(graph)
        settle_symbols(graph)
    after = to_model(graph)
    onnx.checker.check_model(after)
    untouched = to_model(graph).SerializeToString(deterministic=True)
    again = passes[-1](graph)
    if not again:
        assert to_model(graph).SerializeToString(deterministic=True) == untouched
    return Rewritten(before, after, changes, again)

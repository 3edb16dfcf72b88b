"""How each linear operator is drawn: its input flows in, its output flow out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.converter.exporters.draw_parts import (
    InexpressibleError,
    PartMaker,
    Step,
    everything,
    exclusively,
    windows,
)
from onnx2snn.converter.exporters.flows import Flow, Term, whole
from onnx2snn.converter.exporters.unit_network import Weights
from onnx2snn.converter.graph.moves import MOVES, move
from onnx2snn.ir.findings import Finding


@dataclass
class Canvas:
    """What is known while the graph is walked.

    Attributes:
        maker: draws parts.
        values: the constants of the graph.
        streams: names of the streams.
        sizes: shape [1, *F] of every stream.
        readers: how many inputs read a tensor.
        flows: the streams drawn so far.
        notes: what the reader of the network must know.
    """

    maker: PartMaker
    values: Mapping[str, NDArray[Any]]
    streams: Collection[str]
    sizes: Mapping[str, tuple[int, ...]]
    readers: Counter[str]
    flows: dict[str, Flow] = field(default_factory=dict)
    notes: list[Finding] = field(default_factory=list)

    def step(self, node: onnx.NodeProto) -> Step:
        """Return a node with its sizes."""
        inner = next(name for name in node.input if name in self.streams)
        outer = self.sizes.get(node.output[0], self.sizes[inner])
        return Step(node, self.sizes[inner][1:], outer[1:])

    def keep(self, name: str, flow: Flow) -> None:
        """Remember the flow of a stream."""
        alone = self.readers[name] <= 1
        self.flows[name] = tuple(exclusively(term, alone) for term in flow)

    def constant(self, node: onnx.NodeProto, position: int) -> Weights:
        """Return a constant input of a node.

        Raises:
            InexpressibleError: it is computed from data.
        """
        name = node.input[position]
        if name not in self.values:
            raise InexpressibleError("its weights are computed from data")
        return np.asarray(self.values[name], np.float64)


def draw_linear(canvas: Canvas, node: onnx.NodeProto) -> None:
    """Draw one linear node.

    Raises:
        InexpressibleError: there is no way to.
    """
    if node.op_type in MOVES and node.op_type != "Identity":
        _move(canvas, node)
        return
    handler = _HANDLERS.get(node.op_type)
    if handler is None:
        raise InexpressibleError(f"{node.op_type} has no counterpart in the target format")
    canvas.keep(node.output[0], handler(canvas, node))


def _conv(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    weight = canvas.constant(node, 1)
    step = canvas.step(node)
    return tuple(canvas.maker.conv(step, term, weight) for term in canvas.flows[node.input[0]])


def _dense(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    step = canvas.step(node)
    if node.input[0] not in canvas.streams or len(step.outer) != 1:
        raise InexpressibleError("a matrix product along one axis of several")
    matrix = canvas.constant(node, 1)
    if matrix.ndim != 2 or step.number("transA", 0):
        raise InexpressibleError("a matrix product of higher rank")
    matrix = matrix if step.number("transB", 0) else matrix.T
    if node.op_type == "Gemm":
        matrix = matrix * step.number("alpha", 1.0)
    terms = canvas.flows[node.input[0]]
    return tuple(canvas.maker.dense(step.label, term, matrix) for term in terms)


def _average_pool(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    step = canvas.step(node)
    area = windows(step, step.numbers("kernel_shape", ()))
    padded = bool(step.number("count_include_pad", 0))
    terms = canvas.flows[node.input[0]]
    if padded and step.number("ceil_mode", 0):
        raise InexpressibleError("an average over padding in ceil mode")
    return tuple(canvas.maker.pool(step, term, area, padded) for term in terms)


def _global_pool(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    step = canvas.step(node)
    terms = canvas.flows[node.input[0]]
    return tuple(canvas.maker.pool(step, term, everything(step), True) for term in terms)


def _reduce(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    step = canvas.step(node)
    rank = len(step.inner) + 1
    axes = sorted(int(axis) % rank for axis in np.ravel(canvas.constant(node, 1)))
    if axes != list(range(2, rank)):
        raise InexpressibleError("a mean over other axes than those of space")
    terms = canvas.flows[node.input[0]]
    pooled = [canvas.maker.pool(step, term, everything(step), True) for term in terms]
    if node.op_type == "ReduceSum":
        pooled = [term.scaled(float(np.prod(step.inner[1:]))) for term in pooled]
    shape = (1, *step.outer)
    return tuple(
        Term(term.part, term.index.reshape(shape), _reshaped(term, shape), term.exclusive)
        for term in pooled
    )


def _reshaped(term: Term, shape: tuple[int, ...]) -> Weights:
    if term.factor.size == 1:
        return term.factor.reshape(())
    return np.broadcast_to(term.factor, term.index.shape).reshape(shape)


def _sum(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    return tuple(term for name in node.input for term in canvas.flows[name])


def _difference(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    first, second = (canvas.flows[name] for name in node.input)
    return (*first, *(term.scaled(-1.0) for term in second))


def _mean(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    return tuple(term.scaled(1.0 / len(node.input)) for term in _sum(canvas, node))


def _negative(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    return tuple(term.scaled(-1.0) for term in canvas.flows[node.input[0]])


def _same(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    return canvas.flows[node.input[0]]


def _scaled(canvas: Canvas, node: onnx.NodeProto) -> Flow:
    position = 0 if node.input[0] in canvas.streams else 1
    factor = canvas.constant(node, 1 - position)
    if node.op_type == "Div":
        factor = 1.0 / factor
    rank = len(canvas.step(node).inner) + 1
    full = factor.reshape([1] * (rank - factor.ndim) + list(factor.shape))
    return tuple(term.scaled(full) for term in canvas.flows[node.input[position]])


def _move(canvas: Canvas, node: onnx.NodeProto) -> None:
    if node.op_type == "Transpose" and _turn_input(canvas, node):
        return
    names = [name for name in dict.fromkeys(node.input) if name in canvas.streams]
    outputs: list[list[Term]] = [[] for _ in node.output]
    for name in names:
        for term in canvas.flows[name]:
            indices = _moved(canvas, node, names, name, term.index)
            factors: list[Weights] = [term.factor] * len(indices)
            if term.factor.size == 1:
                factors = [term.factor.reshape(())] * len(indices)
            else:
                spread = np.broadcast_to(term.factor, term.index.shape)
                factors = _moved(canvas, node, names, name, spread)
            alone = term.exclusive and len(node.output) == 1
            for kept, index, factor in zip(outputs, indices, factors, strict=True):
                kept.append(Term(term.part, index, factor, alone))
    for name, terms in zip(node.output, outputs, strict=True):
        canvas.keep(name, tuple(terms))


def _turn_input(canvas: Canvas, node: onnx.NodeProto) -> bool:
    """Let an input come in another order of axes, where it is transposed before anything else."""
    flow = canvas.flows[node.input[0]]
    drawing = canvas.maker.drawing
    part = drawing.parts[flow[0].part]
    fresh = canvas.readers[node.input[0]] == 1 and not any(a == part.name for a, _ in drawing.edges)
    if len(flow) != 1 or part.kind != "input" or not fresh or flow[0].factor.size > 1:
        return False
    shape = canvas.sizes[node.output[0]][1:]
    drawing.parts[part.name] = replace(part, shape=shape)
    canvas.keep(node.output[0], (whole(part.name, shape, False).scaled(flow[0].factor.item()),))
    order = canvas.step(node).numbers("perm", ())
    canvas.notes.append(
        Finding(
            code="input-layout",
            message=f"the input '{part.source}' is fed with its axes in the order {list(order)}",
            node=node.name,
            op=node.op_type,
        )
    )
    return True


def _moved(
    canvas: Canvas, node: onnx.NodeProto, names: list[str], name: str, array: NDArray[Any]
) -> list[NDArray[Any]]:
    """Move an array that stands for one of the streams a node reads; the others are silent."""
    arrays = {other: np.zeros(canvas.sizes[other], array.dtype) for other in names}
    moved = move(node, {**arrays, name: array}, canvas.values, canvas.sizes)
    if moved is None:
        raise InexpressibleError("its shape or indices are computed from data")
    return moved


_HANDLERS: Mapping[str, Callable[[Canvas, onnx.NodeProto], Flow]] = {
    "Conv": _conv,
    "Gemm": _dense,
    "MatMul": _dense,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_pool,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
    "Add": _sum,
    "Sum": _sum,
    "Sub": _difference,
    "Mean": _mean,
    "Neg": _negative,
    "Identity": _same,
    "Mul": _scaled,
    "Div": _scaled,
}

"""The onnx package's own backend tests of operators, wrapped as networks that can be converted.

A case is one operator (or its expanded function body) with inputs. It becomes a network so:

* Its first floating-point input with a batch axis is the activation: the network's input. Other
  inputs become constants: they are weights, shapes, axes. Where a case has several floating-point
  inputs of the same shape, it runs once more with all of them as activations.
* Every floating-point output feeds a LeakyRelu (alpha 1/2), so that neurons follow the operator
  and it must work on streams. Both signs survive. An operator without such an output (ArgMax,
  Less ...) has the LeakyRelu in front instead and works on decoded values.
* Activations are rounded to a grid of 1/32 (half a step further where the operator is not defined
  on it): the input encoder is lossless then, and what is left are the neurons behind it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from conformance_reference import reference
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
GRID = 32.0
ALPHA = 0.5
TARGET_OPSET = 21
RELEASED_OPSET = 26
TENSORS = (np.ndarray, np.generic, onnx.TensorProto)


@dataclass(frozen=True)
class Net:
    """A case that has become a network.

    Attributes:
        name: of the case; ``name+`` where several inputs are activations.
        op: operator of the case, with its domain unless it is the standard one.
        model: the network.
        feeds: the activations, by name.
        wrapped: the node of the operator.
    """

    name: str
    op: str
    model: onnx.ModelProto
    feeds: Mapping[str, NDArray[np.generic]]
    wrapped: str


@dataclass(frozen=True)
class Left:
    """A case that is no network: why."""

    name: str
    op: str
    reason: str


@functools.cache
def collect() -> Mapping[str, Any]:
    """Return the cases of the installed onnx package by name."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cases overflow on purpose
        cases = collect_testcases(None)
    return {case.name: case for case in sorted(cases, key=lambda case: str(case.name))}


def variants(name: str) -> Iterator[Net | Left]:
    """Yield the network of a case, and a second one where several inputs can be activations."""
    case = collect()[name]
    graph = case.model.graph
    op = _operator(case)
    if case.data_sets is None or len(case.data_sets[0][0]) != len(graph.input):
        yield Left(name, op, "has no data")
        return
    values = dict(zip((i.name for i in graph.input), case.data_sets[0][0], strict=True))
    reason = _not_applicable(graph, values)
    if reason:
        yield Left(name, op, reason)
        return
    active = [i.name for i in graph.input if _is_activation(i, values[i.name])]
    yield _net(case, name, op, values, active[:1])
    same = [i for i in active if np.shape(values[i]) == np.shape(values[active[0]])]
    if len(same) > 1:
        yield _net(case, f"{name}+", op, values, same)


def _operator(case: Any) -> str:
    """Return the operator, or the function that the nodes of the case are the body of."""
    nodes = case.model.graph.node
    if "_expanded" in case.name:
        base = case.name.split("_expanded")[0]
        whole = collect_op(base)
        return f"{whole} (expanded)" if whole else f"{nodes[0].op_type} ..."
    node = nodes[0]
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"


def collect_op(base: str) -> str:
    """Return the operator of the case whose expansion another case is; empty if there is none."""
    case = collect().get(base)
    return str(case.model.graph.node[0].op_type) if case is not None else ""


def _not_applicable(graph: onnx.GraphProto, values: Mapping[str, Any]) -> str:
    if not all(isinstance(value, TENSORS) for value in values.values()):
        return "sequence or optional input"
    if any(not output.type.HasField("tensor_type") for output in graph.output):
        return "sequence or optional output"
    floats = [i for i in graph.input if i.type.tensor_type.elem_type in FLOATS]
    if not floats:
        return "no floating-point input"
    if not any(_is_activation(i, values[i.name]) for i in floats):
        return "no input with a batch axis and values"
    return ""


def _is_activation(info: onnx.ValueInfoProto, value: Any) -> bool:
    """Whether an input can be what a network is fed with."""
    if info.type.tensor_type.elem_type not in FLOATS[:3] or isinstance(value, onnx.TensorProto):
        return False
    return bool(np.ndim(value) > 0 and np.size(value) > 0)


def _net(case: Any, name: str, op: str, values: Mapping[str, Any], active: list[str]) -> Net:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    for info in list(graph.input):
        if info.name not in active:
            graph.initializer.append(_tensor(values[info.name], info.name))
            graph.input.remove(info)
    for index, node in enumerate(graph.node):
        node.name = f"case_{index}" if len(graph.node) > 1 else "case"
    floats = [o for o in graph.output if o.type.tensor_type.elem_type in FLOATS]
    for info in floats:
        inner, kind = info.name, info.type.tensor_type.elem_type
        info.name = f"{inner}/out"
        info.type.tensor_type.elem_type = TensorProto.FLOAT
        graph.node.extend(_leaky(inner, info.name, kind))
    if not floats:
        _put_in_front(graph)
    _settle_versions(model)
    feeds = {i: on_grid(np.asarray(values[i])) for i in active}
    wrapped = next(node.name for node in graph.node if node.name.startswith("case"))
    return Net(name, op, model, _defined(model, feeds, values), wrapped)


def _settle_versions(model: onnx.ModelProto) -> None:
    """Write a case that no released onnxruntime can read as one that it can.

    The file format is taken back to IR 10, which holds all that cases need. A case of an opset
    that is not released is read as of opset 21, if all its operators are known there.
    """
    imports = {entry.domain: entry for entry in model.opset_import}
    if "" not in imports:
        model.opset_import.append(helper.make_opsetid("", TARGET_OPSET))
    elif imports[""].version > RELEASED_OPSET and all(
        onnx.defs.has(node.op_type) and _since(node) <= TARGET_OPSET
        for node in model.graph.node
        if node.domain in ("", "ai.onnx")
    ):
        imports[""].version = TARGET_OPSET
    model.ir_version = 10


def _since(node: onnx.NodeProto) -> int:
    """Return the opset that first had the operator."""
    schemas = onnx.defs.get_all_schemas_with_history()
    versions = [s.since_version for s in schemas if s.domain == "" and s.name == node.op_type]
    return int(min(versions))


def _put_in_front(graph: onnx.GraphProto) -> None:
    kinds = {info.name: info.type.tensor_type.elem_type for info in graph.input}
    for node in graph.node:
        for index, read in enumerate(node.input):
            if read in kinds:
                node.input[index] = f"{read}/in"
    front = [node for name in kinds for node in _in_front(name, kinds[name])]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*front, *rest])


def _in_front(name: str, kind: int) -> list[onnx.NodeProto]:
    if kind == TensorProto.FLOAT:
        return _leaky(name, f"{name}/in", kind)
    back = helper.make_node("Cast", [f"{name}/fired"], [f"{name}/in"], f"{name}/back", to=kind)
    return [*_leaky(name, f"{name}/fired", kind), back]


def _leaky(source: str, target: str, kind: int) -> list[onnx.NodeProto]:
    """Return a LeakyRelu; onnxruntime has it for float32, so other types are cast."""
    nodes = []
    if kind != TensorProto.FLOAT:
        single = f"{target}/single"
        nodes = [helper.make_node("Cast", [source], [single], name=single, to=TensorProto.FLOAT)]
        source = single
    leaky = helper.make_node("LeakyRelu", [source], [target], name=f"{target}/leaky", alpha=ALPHA)
    return [*nodes, leaky]


def _tensor(value: Any, name: str) -> onnx.TensorProto:
    if isinstance(value, onnx.TensorProto):
        tensor = onnx.TensorProto()
        tensor.CopyFrom(value)
        tensor.name = name
        return tensor
    return numpy_helper.from_array(np.asarray(value), name)


def on_grid(values: NDArray[np.generic], shift: float = 0.0) -> NDArray[np.generic]:
    """Round to the grid of 1/32 (or half a step further), in the type of the values."""
    exact = np.asarray(values, np.float64)
    finite = np.nan_to_num(exact, nan=0.0, posinf=4.0, neginf=-4.0)
    return (np.round(finite * GRID) / GRID + shift).astype(values.dtype)


def _defined(
    model: onnx.ModelProto,
    feeds: dict[str, NDArray[np.generic]],
    values: Mapping[str, Any],
) -> dict[str, NDArray[np.generic]]:
    """Move the activations by half a step of the grid where that makes the outputs finite."""
    found = reference(model, feeds)
    if found is None or all(_finite(value) for value in found.values()):
        return feeds
    moved = {name: on_grid(np.asarray(values[name]), 0.5 / GRID) for name in feeds}
    again = reference(model, moved)
    better = again is not None and all(_finite(value) for value in again.values())
    return moved if better else feeds


def _finite(value: NDArray[np.generic]) -> bool:
    return value.dtype.kind != "f" or bool(np.isfinite(value.astype(np.float64)).all())

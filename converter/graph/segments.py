"""Segments: the parts of the planned ANN between one layer of neurons and the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnx2snn.ir.session import Session, Tensors


def cut(
    model: onnx.ModelProto, boundary: Collection[str], outputs: Sequence[str]
) -> onnx.ModelProto:
    """Return the part of a model that computes ``outputs`` from ``boundary`` tensors.

    The walk from the outputs towards the inputs stops at boundary tensors, which become float32
    inputs of the part.

    Args:
        model: a model whose nodes are topologically sorted.
        boundary: tensors not to walk past.
        outputs: tensors to compute, none of them on the boundary.
    """
    kept, needed = [], set(outputs)
    for node in reversed(model.graph.node):
        if any(name in needed and name not in boundary for name in node.output):
            kept.append(node)
            needed.update(_reads(node))
    computed = {name for node in kept for name in node.output}
    constants = [t for t in model.graph.initializer if t.name in needed]
    known = computed | {t.name for t in constants}
    inputs = [name for name in sorted(needed) if name and name not in known]
    inputs += [name for name in sorted(needed) if name in boundary and name in computed]
    graph = helper.make_graph(
        _without(kept[::-1], boundary),
        "segment",
        [_input_info(model, name) for name in inputs],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        constants,
    )
    return helper.make_model(
        graph,
        functions=model.functions,
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
    )


def _input_info(model: onnx.ModelProto, name: str) -> onnx.ValueInfoProto:
    """Return the declaration of an input of a part: the model's own, or an open float32 tensor."""
    own = (info for info in model.graph.input if info.name == name)
    return next(own, helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def _reads(node: onnx.NodeProto) -> set[str]:
    """Return what a node reads, including what its subgraphs take from outside."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            inner = {name for child in attribute.g.node for name in _reads(child)}
            inner -= {name for child in attribute.g.node for name in child.output}
            names |= inner - {i.name for i in attribute.g.input}
    return names


def _without(nodes: Sequence[onnx.NodeProto], boundary: Collection[str]) -> list[onnx.NodeProto]:
    """Rename outputs that are boundary tensors, so that they do not clash with the inputs."""
    renamed = []
    for node in nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for i, name in enumerate(node.output):
            if name in boundary:
                copy.output[i] = f"{name}/unused"
        renamed.append(copy)
    return renamed


def affine_constants(
    model: onnx.ModelProto,
    stateful: Mapping[str, Sequence[int]],
    tensors: Sequence[str],
    one_sample: Tensors,
) -> dict[str, NDArray[np.float32]]:
    """Evaluate tensors with every stream at zero: the constant part of each affine segment.

    Args:
        model: the planned ANN.
        stateful: shape at batch 1 of every tensor a neuron, pool or input emits.
        tensors: inputs of neurons, pools, lifts and read-outs.
        one_sample: feeds at batch 1, for inputs that are no streams (their shapes may matter).

    Returns:
        The constant part per tensor, [1, *F], reduced to [1, C, 1, ..] where it does not depend
        on the position.
    """
    wanted = [name for name in tensors if name not in stateful]
    values: Tensors = {}
    if wanted:
        part = cut(model, stateful, wanted)
        session = Session(part, optimised=False)
        feeds: Tensors = {
            name: np.zeros(stateful[name], np.float32) if name in stateful else one_sample[name]
            for name in session.inputs
        }
        values = session.run(feeds, wanted)
    zero = np.zeros((), np.float32)
    return {
        name: _reduce(np.asarray(values[name], np.float32)) if name in values else zero
        for name in tensors
    }


def _reduce(constant: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shrink every axis along which the constant does not change."""
    for axis in range(constant.ndim):
        first = np.take(constant, [0], axis=axis)
        if np.array_equal(np.broadcast_to(first, constant.shape), constant):
            constant = first
    return constant

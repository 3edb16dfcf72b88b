"""What a model says, checked before onnx.checker: domains, names, dims, weights.

All problems are returned together, each naming its node or tensor.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from onnx2snn.converter.source.limits import (
    all_graphs,
    all_nodes,
    constant_tensors,
    element_count,
)
from onnx2snn.ir.findings import Finding

STANDARD = ("", "ai.onnx")
KNOWN_DOMAINS = frozenset({*STANDARD, "ai.onnx.ml", "com.microsoft"})

RANDOM_OPS = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial"}
    | {"Bernoulli"}
)

_BLOCKED = (
    "ONNX Runtime wrote it for this machine at optimisation level 'all'; use the model as it was "
    "exported, or one saved at level 'extended'"
)

_FLOATS = frozenset(
    {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16}
    | {onnx.TensorProto.BFLOAT16}
)


def check_content(model: onnx.ModelProto) -> list[Finding]:
    """Every problem found on the protobuf itself."""
    return [
        *_check_presence(model),
        *_check_interface(model),
        *_check_operators(model),
        *_check_text(model),
        *_check_names(model),
        *_check_dims(model),
    ]


def check_weights(model: onnx.ModelProto) -> list[Finding]:
    """Constants that are too short for their dims, or hold NaN; infinities likewise.

    A lone infinity is a bound (Clip, masks); an infinite entry of a weight is a broken weight, so
    it is refused in tensors of rank two and above unless it is minus infinity (attention masks).
    """
    findings = []
    for tensor in constant_tensors(model):
        if tensor.data_type not in _FLOATS:
            continue
        try:
            values = onnx.numpy_helper.to_array(tensor)
            if values.dtype.kind != "f":  # bfloat16
                values = np.asarray(values, np.float64)
        except (ValueError, TypeError) as error:
            findings.append(_invalid("bad-constant", f"constant '{tensor.name}': {error}"))
            continue
        if np.isnan(values).any() or (values.ndim > 1 and np.isposinf(values).any()):
            findings.append(
                _invalid(
                    "not-finite",
                    f"constant '{tensor.name}' holds NaN or infinity",
                    "train or export the model again; these weights are broken",
                )
            )
    return findings


def _check_presence(model: onnx.ModelProto) -> Iterator[Finding]:
    if not model.HasField("graph") or not model.graph.node:
        yield _invalid("empty-graph", "the model has no nodes", "export the model again")
    elif not model.graph.output:
        yield _invalid("no-outputs", "the model has no outputs", "name its outputs when exporting")
    if not model.opset_import:
        yield _invalid("no-opset", "the model does not say which opset it is written in")


def _check_interface(model: onnx.ModelProto) -> Iterator[Finding]:
    """Inputs and outputs are tensors: neither sequences nor maps have a stream."""
    stored = {tensor.name for tensor in model.graph.initializer}
    given = [item for item in model.graph.input if item.name not in stored]
    for item in (*given, *model.graph.output):
        kind = item.type.WhichOneof("value")
        if kind not in (None, "tensor_type"):
            told = f"'{item.name}' is a {kind.removesuffix('_type')}, not a tensor"
            remedy = (
                "export the model with tensors as inputs and outputs (skl2onnx: "
                "options={'zipmap': False})"
            )
            yield _invalid("not-a-tensor", told, remedy)


def _drops(model: onnx.ModelProto, node: onnx.NodeProto) -> bool:
    """Whether the node is a Dropout in training mode that may drop something."""
    if node.op_type != "Dropout" or len(node.input) < 3 or not node.input[2]:
        return False
    known = {t.name: t for t in model.graph.initializer}
    made = [n for n in model.graph.node if n.op_type == "Constant"]
    known |= {n.output[0]: a.t for n in made for a in n.attribute if a.name == "value"}
    ratio, training = (known.get(name) for name in (node.input[1], node.input[2]))
    zero = [t is not None and not numpy_helper.to_array(t).any() for t in (ratio, training)]
    return not any(zero)


def _check_operators(model: onnx.ModelProto) -> Iterator[Finding]:
    local = {(function.domain, function.name) for function in model.functions}
    for node in all_nodes(model):
        if (node.domain, node.op_type) in local:
            continue
        if node.domain in STANDARD and (node.op_type in RANDOM_OPS or _drops(model, node)):
            yield Finding(
                code="random-operator",
                message="its result differs from run to run, so there is nothing to compare with",
                severity="error",
                node=node.name,
                op=node.op_type,
                remedy="export the model in evaluation mode, without sampling",
            )
        if node.domain not in KNOWN_DOMAINS:
            yield Finding(
                code="foreign-domain",
                message=f"operators of the domain '{node.domain}' are not known here",
                severity="error",
                node=node.name,
                op=f"{node.domain}::{node.op_type}",
                remedy=_BLOCKED
                if node.domain == "com.microsoft.nchwc"
                else "export with standard ONNX operators, or give the operator a function body",
            )


def _check_text(model: onnx.ModelProto) -> Iterator[Finding]:
    for node in all_nodes(model):
        for attribute in node.attribute:
            for value in (attribute.s, *attribute.strings):
                try:
                    value.decode()
                except UnicodeDecodeError:
                    yield _invalid("bad-text", f"attribute '{attribute.name}' is no text", "", node)


def _check_names(model: onnx.ModelProto) -> Iterator[Finding]:
    for graph in all_graphs(model.graph):
        initializers = [tensor.name for tensor in graph.initializer]
        initializers += [sparse.values.name for sparse in graph.sparse_initializer]
        inputs = [item.name for item in graph.input if item.name not in set(initializers)]
        outputs = [name for node in graph.node for name in node.output if name]
        for name, times in Counter([*initializers, *inputs, *outputs]).items():
            if times > 1:
                yield _invalid("duplicate-name", f"the tensor '{name}' is defined {times} times")


def _check_dims(model: onnx.ModelProto) -> Iterator[Finding]:
    for tensor in constant_tensors(model):
        if any(dim < 0 for dim in tensor.dims):
            yield _invalid("bad-dims", f"constant '{tensor.name}' has a negative length")
        elif len(tensor.dims) > 1 and element_count(tensor) == 0:
            yield _invalid("zero-size", f"constant '{tensor.name}' has no elements")
        elif tensor.data_location != onnx.TensorProto.EXTERNAL and _is_truncated(tensor):
            yield _invalid(
                "bad-constant", f"constant '{tensor.name}' has fewer values than its shape says"
            )
    stored = {tensor.name for tensor in model.graph.initializer}
    for item in model.graph.input:
        if item.name in stored:
            continue
        for dim in item.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value == 0:
                yield _invalid("zero-size", f"input '{item.name}' has an axis of length 0")


def _is_truncated(tensor: onnx.TensorProto) -> bool:
    """Whether raw data is missing; the typed fields are left to numpy_helper and the checker."""
    if not tensor.HasField("raw_data") or tensor.data_type == onnx.TensorProto.STRING:
        return False
    try:
        itemsize = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError):
        return False
    if tensor.data_type in (onnx.TensorProto.UINT4, onnx.TensorProto.INT4):
        return len(tensor.raw_data) < math.ceil(element_count(tensor) / 2)
    if itemsize * element_count(tensor) > len(tensor.raw_data):
        return tensor.data_type not in _PACKED
    return False


_PACKED = frozenset(
    getattr(onnx.TensorProto, name)
    for name in ("FLOAT4E2M1", "UINT2", "INT2")
    if hasattr(onnx.TensorProto, name)
)


def _invalid(
    code: str, message: str, remedy: str = "", node: onnx.NodeProto | None = None
) -> Finding:
    return Finding(
        code=code,
        message=message,
        severity="error",
        node=node.name if node is not None else "",
        op=node.op_type if node is not None else "",
        remedy=remedy or "export the model again and check it with onnx.checker",
    )

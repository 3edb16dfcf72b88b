"""The grammar: which nodes may stand where in a spiking model.

Every tensor has a kind: *constant* (initializers and what depends on them alone), *raw* (graph
inputs and what is computed from them before they become streams), *stream* (time folded into the
batch), *estimate* (the running value of a stream, also folded) or *value* (decoded). The rules:

1. A stream is made by ``DirectCurrent`` from a raw tensor, or by ``Increment`` from an estimate.
2. Neurons and spiking pools take a stream and emit a stream.
3. Every other node on a stream is linear and bias-free (:mod:`onnx2snn.ir.linear`).
4. ``Estimate`` makes an estimate from a stream, ``Hold`` from a raw tensor; any standard operator
   may work on estimates and constants.
5. Only ``ReadOut`` leaves a stream for good; what follows works on values.
6. Graph outputs are values or raw, never streams or estimates.
7. Quanta are finite and positive, bounds are ordered and contain zero, leaks lie in [0, 1].

``onnx.checker`` does not look into foreign domains, so this module must.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnx2snn.ir.bodies import body_problems
from onnx2snn.ir.derive.unscan import unscan
from onnx2snn.ir.errors import InvariantError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.linear import LINEAR_OPS, why_not_linear
from onnx2snn.ir.ops import (
    DOMAIN,
    DOMAIN_VERSION,
    IR_VERSION,
    OPSET,
    DirectCurrent,
    Estimate,
    Hold,
    Increment,
    RunningReadOut,
    TemporalBias,
    spiking_op,
)
from onnx2snn.ir.stored_weights import tensor_values

Kind = Literal["constant", "raw", "stream", "estimate", "value"]
SHAPE_OPS = ("Shape", "Size")
_PARAMETERS = ("quantum", "current", "n_min", "n_max", "leak", "seed", "window")


def check_grammar(model: onnx.ModelProto) -> None:
    """Check a sealed spiking model against the grammar.

    Raises:
        InvariantError: with one finding per broken rule.
    """
    folded = unscan(model)
    problems = [
        *_version_problems(model),
        *_timesteps_problems(model),
        *body_problems(model),
        *_node_problems(folded),
    ]
    if problems:
        raise InvariantError(
            f"the model breaks the grammar of spiking models in {len(problems)} place(s)",
            remedy="this is a bug of onnx2snn or a file changed by other tools; convert again",
            findings=problems,
        )


def tensor_kinds(graph: onnx.GraphProto) -> dict[str, Kind]:
    """Return the kind of every tensor of a spiking graph."""
    kinds: dict[str, Kind] = {tensor.name: "constant" for tensor in graph.initializer}
    for tensor in graph.input[:-1]:
        kinds[tensor.name] = "raw"
    kinds[graph.input[-1].name] = "constant"
    for node in graph.node:
        kind = _output_kind(node, [kinds.get(name, "constant") for name in node.input if name])
        kinds.update(dict.fromkeys(node.output, kind))
    return kinds


def _output_kind(node: onnx.NodeProto, inputs: list[Kind]) -> Kind:
    if node.domain == DOMAIN:
        op = spiking_op(node)
        if isinstance(op, Estimate | Hold):
            return "estimate"
        return "value" if isinstance(op, RunningReadOut) else "stream"
    if node.op_type in SHAPE_OPS:
        return "constant"
    order: tuple[Kind, ...] = ("value", "stream", "estimate", "raw")
    return next((kind for kind in order if kind in inputs), "constant")


def _version_problems(model: onnx.ModelProto) -> Iterator[Finding]:
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if model.ir_version != IR_VERSION or opsets.get("", 0) != OPSET:
        yield Finding(
            code="wrong-version",
            severity="error",
            message=f"IR {model.ir_version}, opset {opsets.get('')}: must be {IR_VERSION}, {OPSET}",
        )
    if opsets.get(DOMAIN) != DOMAIN_VERSION:
        yield Finding(
            code="wrong-version",
            severity="error",
            message=f"domain {DOMAIN} version {opsets.get(DOMAIN)}: must be {DOMAIN_VERSION}",
        )


def _timesteps_problems(model: onnx.ModelProto) -> Iterator[Finding]:
    """T is an int64 scalar, the last input, with a default of at least 1."""
    name = model.graph.input[-1].name if model.graph.input else ""
    default = next((t for t in model.graph.initializer if t.name == name), None)
    if default is None or default.data_type != onnx.TensorProto.INT64 or list(default.dims):
        told = f"the last input '{name}' has no default number of timesteps (an int64 scalar)"
        yield Finding(code="bad-timesteps", severity="error", message=told)
    elif int(numpy_helper.to_array(default)) < 1:
        told = f"the default number of timesteps is {int(numpy_helper.to_array(default))}, below 1"
        yield Finding(code="bad-timesteps", severity="error", message=told)


def _node_problems(model: onnx.ModelProto) -> Iterator[Finding]:
    graph = model.graph
    kinds = tensor_kinds(graph)
    constants = {t.name: t for t in graph.initializer}
    for node in graph.node:
        present = [kinds.get(name, "constant") if name else "constant" for name in node.input]
        if node.domain == DOMAIN:
            yield from _spiking_problems(node, present, constants)
        elif "value" in present and {"stream", "estimate"} & set(present):
            yield _problem(node, "mixes a stream or an estimate with a decoded value")
        elif "estimate" in present and {"stream", "raw"} & set(present):
            yield _problem(node, "mixes an estimate with a stream or a raw tensor")
        elif "stream" in present and node.op_type not in SHAPE_OPS:
            yield from _linear_problems(node, present)
    for output in graph.output:
        kind = kinds.get(output.name)
        if kind in ("stream", "estimate"):
            yield Finding(
                code="stream-output",
                severity="error",
                message=f"graph output '{output.name}' is a {kind}; it needs a ReadOut",
            )


def _spiking_problems(
    node: onnx.NodeProto, present: list[Kind], constants: dict[str, onnx.TensorProto]
) -> Iterator[Finding]:
    op = spiking_op(node)
    if isinstance(op, DirectCurrent):
        if present[0] == "stream":
            yield _problem(node, "encodes what already is a stream")
        return
    wanted: Kind = "stream"
    if isinstance(op, Increment | Hold):
        wanted = "estimate" if isinstance(op, Increment) else "raw"
    if present[0] != wanted:
        yield _problem(node, f"needs a {wanted} tensor, got a {present[0]} tensor")
    if len(node.input) != len(op.inputs):
        yield _problem(node, f"has {len(node.input)} inputs, needs {len(op.inputs)}")
        return
    if isinstance(op, TemporalBias):
        yield from _table_problems(node, constants.get(node.input[1]))
    if "quantum" in op.inputs:
        named = dict(zip(op.inputs, node.input, strict=True))
        checked = [name for name in _PARAMETERS if name in named]
        missing = [name for name in checked if named[name] not in constants]
        if missing:
            yield _problem(node, f"parameters must be initializers: {', '.join(missing)}")
            return
        values = {name: tensor_values(constants[named[name]]) for name in checked}
        yield from _parameter_problems(node, values)


def _table_problems(node: onnx.NodeProto, table: onnx.TensorProto | None) -> Iterator[Finding]:
    if table is None:
        yield _problem(node, "its table must be an initializer")
    elif not (table.dims and table.dims[0] and np.isfinite(tensor_values(table)).all()):
        yield _problem(node, "has a table without rows, or with values that are not finite")


def _parameter_problems(
    node: onnx.NodeProto, values: dict[str, NDArray[np.generic]]
) -> Iterator[Finding]:
    quantum = np.asarray(values["quantum"], dtype=np.float64)
    current = np.asarray(values.get("current", 0), dtype=np.float64)
    if not (np.isfinite(quantum).all() and (quantum > 0).all()):
        yield _problem(node, "has a quantum that is not finite and positive")
    if not np.isfinite(current).all():
        yield _problem(node, "has a constant current that is not finite")
    if not float(values.get("n_min", 0)) <= 0 <= float(values.get("n_max", 0)):
        yield _problem(node, "has bounds that do not contain zero")
    leak = np.asarray(values.get("leak", 1), dtype=np.float64)
    if not ((leak >= 0) & (leak <= 1)).all():
        yield _problem(node, "has a leak outside [0, 1]")
    if not (np.asarray(values.get("window", 1)) >= 1).all():
        yield _problem(node, "has a window without slots")


def _linear_problems(node: onnx.NodeProto, present: list[Kind]) -> Iterator[Finding]:
    reason = why_not_linear(node.op_type, [kind == "stream" for kind in present])
    if node.domain not in ("", "ai.onnx"):
        reason = f"operator of domain {node.domain} on a stream"
    if reason:
        yield _problem(node, reason)
        return
    biases = [i for i in LINEAR_OPS[node.op_type].bias if i < len(node.input) and node.input[i]]
    if biases:
        yield _problem(node, "has a bias: constants belong into the neuron's current")
    if node.op_type in ("Add", "Sub", "Sum", "Mean") and len(set(present)) > 1:
        yield _problem(node, "adds a constant to a stream: it belongs into a neuron's current")


def _problem(node: onnx.NodeProto, message: str) -> Finding:
    return Finding(
        code="grammar", severity="error", message=message, node=node.name, op=node.op_type
    )

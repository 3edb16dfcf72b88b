"""From bytes to a model that the rest of the converter may trust.

    size → parse → counts → content → external data → weights → onnx.checker
         → functions inlined → operators newer than opset 21 expanded → opset 21
         → every node named

Nothing that could be made to hang, to read another file or to ask for terabytes runs before the
check that rules it out.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError, EncodeError

from onnx2snn.converter.source.content import check_content, check_weights
from onnx2snn.converter.source.expand_simplified_norm import expand_simplified_norm
from onnx2snn.converter.source.external import load_external_data
from onnx2snn.converter.source.functions import expand_newer_functions
from onnx2snn.converter.source.limits import Limits, all_graphs, check_limits, constant_tensors
from onnx2snn.converter.source.opset import (
    IR_VERSION,
    check_model,
    normalise_opset,
    standard_opset,
)
from onnx2snn.converter.source.text import check_text
from onnx2snn.ir.errors import (
    InvalidModelError,
    ModelError,
    ModelTooLargeError,
    UnsupportedOpError,
)
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.stored_weights import WeightFile, put_back, whole

__all__ = ["Limits", "Source", "read_model"]


ModelLike = str | os.PathLike[str] | bytes | onnx.ModelProto
"""A path, the bytes of a file, or a loaded model."""

_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Source:
    """A model that has been read.

    Attributes:
        model: valid, in opset 21, without local functions; every node has its own name.
        sha256: of the file (and its external data), for the record.
        name: of the file without its ending, or of the graph.
        findings: what was changed on the way, worth knowing.
        opset: the opset it was written in.
    """

    model: onnx.ModelProto
    sha256: str
    name: str
    findings: tuple[Finding, ...]
    opset: int


def read_model(
    model: ModelLike, *, limits: Limits = _DEFAULT_LIMITS, weights: WeightFile | None = None
) -> Source:
    """Read and check a model.

    Args:
        model: a path, the bytes of a file, or a loaded model. External data is read only for a
            path, and only from beside it.
        limits: what it may measure.
        weights: where large weights stay; without it they are in the model again.

    Raises:
        InvalidModelError: it is no valid ONNX model; the findings say why.
        ModelTooLargeError: it exceeds a limit.
        UnsupportedOpError: it uses operators outside the standard domains.
        UnsupportedOpsetError: its opset cannot be brought to 21.
    """
    data, name, directory = _load(model, limits)
    proto, size = _parse(data), len(data)
    digest = hashlib.sha256(data).hexdigest()
    del data  # it is as large as the weights
    _raise_if(check_text(proto))  # what comes next reads names
    _raise_if(check_limits(proto, limits))
    _name_nodes(proto)  # so that findings can name them
    _raise_if(check_content(proto))
    external, findings = load_external_data(
        constant_tensors(proto), directory, limits.max_bytes - size
    )
    _raise_if([*findings, *check_weights(proto)] if not findings else findings)
    opset = standard_opset(proto)
    notes = _drop_default_inputs(proto)
    proto.ir_version = max(proto.ir_version, 3)
    if proto.ir_version > onnx.IR_VERSION:
        proto.ir_version = IR_VERSION  # newer ones only add fields; what they hold is checked
    file = WeightFile() if weights is None else weights  # each check would copy large weights
    proto, stored = file.take(proto)
    expand_simplified_norm(proto, opset)
    check_model(proto)
    proto, expanded = expand_newer_functions(_inline_functions(proto))
    proto = normalise_opset(proto)
    _name_nodes(proto)
    _forget_shapes(proto)
    check_model(proto)
    put_back(proto, stored)
    proto = whole(proto) if weights is None else proto
    if external:
        digest = hashlib.sha256(f"{digest}{external}".encode()).hexdigest()
    return Source(proto, digest, name or proto.graph.name or "model", (*notes, *expanded), opset)


def _load(
    model: str | os.PathLike[str] | bytes | onnx.ModelProto, limits: Limits
) -> tuple[bytes, str, Path | None]:
    """The bytes, a name, and the directory where external data may lie."""
    if isinstance(model, onnx.ModelProto):
        try:
            data, name, directory = model.SerializeToString(deterministic=True), "", None
        except (EncodeError, ValueError) as error:
            raise _too_large("2 GiB, the end of protobuf", limits) from error
    elif isinstance(model, bytes | bytearray | memoryview):
        data, name, directory = bytes(model), "", None
    else:
        path = Path(model)
        if not path.is_file():
            raise InvalidModelError(
                f"there is no file '{path}'", remedy="check the path of the model"
            )
        if path.stat().st_size > limits.max_bytes:
            raise _too_large(f"{path.stat().st_size} bytes", limits)
        data, name, directory = path.read_bytes(), path.stem, path.resolve().parent
    if len(data) > limits.max_bytes:
        raise _too_large(f"{len(data)} bytes", limits)
    return data, name, directory


def _too_large(size: str, limits: Limits) -> ModelTooLargeError:
    return ModelTooLargeError(
        f"the model has {size}; the limit is {limits.max_bytes} bytes",
        remedy="convert a smaller model, or raise the limit if you trust the file",
    )


def _parse(data: bytes) -> onnx.ModelProto:
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError as error:
        raise InvalidModelError(
            "this is no ONNX file, or it is truncated",
            remedy="give an .onnx file as torch.onnx, tf2onnx or skl2onnx write it",
        ) from error
    if not data or not proto.HasField("graph"):
        raise InvalidModelError(
            "this is no ONNX file: there is no graph in it",
            remedy="give an .onnx file as torch.onnx, tf2onnx or skl2onnx write it",
        )
    return proto


def _raise_if(findings: list[Finding]) -> None:
    """One error for all the findings, of the kind of the most basic one."""
    if not findings:
        return
    codes = {finding.code for finding in findings}
    kind: type[ModelError] = InvalidModelError
    if codes <= {"foreign-domain", "random-operator"}:
        kind = UnsupportedOpError
    elif codes & {"model-too-large"}:
        kind = ModelTooLargeError
    count = f"{len(findings)} problems" if len(findings) > 1 else "a problem"
    raise kind(f"the model cannot be read: {count}", findings=findings)


def _drop_default_inputs(model: onnx.ModelProto) -> list[Finding]:
    """Inputs that have a stored value are constants: IR version 3 listed all weights as inputs."""
    stored = {tensor.name for tensor in model.graph.initializer}
    kept = [item for item in model.graph.input if item.name not in stored]
    dropped = len(model.graph.input) - len(kept)
    if not dropped:
        return []
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.ir_version = max(model.ir_version, 4)
    return [
        Finding(
            code="default-inputs",
            message=f"{dropped} inputs have stored values and are read as constants",
        )
    ]


def _inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    if not model.functions:
        return model
    return onnx.inliner.inline_local_functions(model, convert_version=True)


def _name_nodes(model: onnx.ModelProto) -> None:
    """Give every node a name of its own: ``Conv_3`` for the nameless, the source's otherwise."""
    nodes = [node for graph in all_graphs(model.graph) for node in graph.node]
    taken = {node.name for node in nodes if node.name}
    seen: set[str] = set()
    for index, node in enumerate(nodes):
        name = node.name or f"{node.op_type}_{index}"
        number = 1
        while name in seen or (name != node.name and name in taken):
            number += 1
            name = f"{node.name or node.op_type}_{index}_{number}"
        node.name = name
        seen.add(name)


def _forget_shapes(model: onnx.ModelProto) -> None:
    """Drop what the exporter wrote down about inner tensors: it may be of another batch size."""
    for graph in all_graphs(model.graph):
        del graph.value_info[:]

"""Every model is read as opset 21: the newest one that all supported runtimes load.

Older models go through onnx.version_converter. Newer ones are written down as opset 21 where
every operator they use means the same there; what opset 21 cannot say is refused by name.
"""

from __future__ import annotations

import onnx
import onnx.version_converter

from onnx2snn.converter.source.content import STANDARD
from onnx2snn.converter.source.limits import all_nodes
from onnx2snn.ir.errors import InvalidModelError, UnsupportedOpError, UnsupportedOpsetError
from onnx2snn.ir.findings import Finding

TARGET_OPSET = 21
OLDEST_OPSET = 7
IR_VERSION = 10

# Attributes newer than opset 21, with the value that says what opset 21 does anyway.
_NEUTRAL: dict[str, object] = {
    "round_mode": b"up",
    "output_dtype": 0,
    "precision": 0,
    "stash_type": 1,
    "mode": b"DCR",
}


def standard_opset(model: onnx.ModelProto) -> int:
    """The version of the standard operators that the model is written in; 0 if not stated."""
    versions = [item.version for item in model.opset_import if item.domain in STANDARD]
    return max(versions, default=0)


def normalise_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in opset 21, IR version 10.

    Raises:
        UnsupportedOpsetError: older than opset 7 or newer than the installed onnx package.
        UnsupportedOpError: operators that opset 21 does not have.
    """
    opset = standard_opset(model)
    newest = onnx.defs.onnx_opset_version()
    if opset and not OLDEST_OPSET <= opset <= newest:
        raise UnsupportedOpsetError(
            f"opset {opset} is outside the range {OLDEST_OPSET} to {newest}",
            remedy=f"export the model with opset {TARGET_OPSET}",
        )
    model.ir_version = IR_VERSION
    if not opset or opset == TARGET_OPSET or _means_the_same(model, opset):
        return _declare(model)
    if opset > TARGET_OPSET:
        return _lower(model, opset)
    try:
        return _declare(onnx.version_converter.convert_version(model, TARGET_OPSET))
    except RuntimeError as error:
        raise UnsupportedOpsetError(
            f"opset {opset} cannot be brought to {TARGET_OPSET}: {str(error).splitlines()[0]}",
            remedy=f"export the model with opset {TARGET_OPSET}",
        ) from error


def _declare(model: onnx.ModelProto) -> onnx.ModelProto:
    used = {node.domain for node in all_nodes(model)} - set(STANDARD)
    others = [
        onnx.helper.make_opsetid(item.domain, item.version)
        for item in model.opset_import
        if item.domain in used
    ]
    del model.opset_import[:]
    model.opset_import.extend([onnx.helper.make_opsetid("", TARGET_OPSET), *others])
    model.ir_version = IR_VERSION
    return model


def schema_of(op: str, opset: int) -> onnx.defs.OpSchema | None:
    """What the specification says about an operator at an opset; None if it is not there."""
    try:
        return onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        return None


def _means_the_same(model: onnx.ModelProto, opset: int) -> bool:
    """Whether no operator in use was redefined between this opset and 21."""
    for op in {node.op_type for node in all_nodes(model) if node.domain in STANDARD}:
        there, here = schema_of(op, opset), schema_of(op, TARGET_OPSET)
        if there is None or here is None or there.since_version != here.since_version:
            return False
    return True


def _lower(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    findings: list[Finding] = []
    for node in all_nodes(model):
        if node.domain not in STANDARD:
            continue
        reason = _lower_node(node, opset)
        if reason:
            findings.append(
                Finding(
                    code="unsupported-op",
                    message=reason,
                    severity="error",
                    node=node.name,
                    op=node.op_type,
                    opset=opset,
                    remedy=f"export the model with opset {TARGET_OPSET} or older",
                )
            )
    if findings:
        raise UnsupportedOpError(
            f"the model uses operators that opset {TARGET_OPSET} cannot express",
            findings=findings,
        )
    return _declare(model)


def _lower_node(node: onnx.NodeProto, opset: int) -> str:
    """Drop what only newer opsets can say, where it says nothing new; else return the reason."""
    here, there = schema_of(node.op_type, TARGET_OPSET), schema_of(node.op_type, opset)
    if there is None:
        return f"opset {opset} has no such operator"
    if here is None:
        return f"the operator is newer than opset {TARGET_OPSET}"
    if here.since_version == there.since_version:
        return ""
    if len(node.input) > here.max_input or len(node.output) > here.max_output:
        return f"it has more inputs or outputs than opset {TARGET_OPSET} allows"
    for attribute in list(node.attribute):
        if attribute.name in here.attributes:
            continue
        if onnx.helper.get_attribute_value(attribute) != _NEUTRAL.get(attribute.name):
            return f"its attribute '{attribute.name}' is newer than opset {TARGET_OPSET}"
        node.attribute.remove(attribute)
    return ""


def check_model(model: onnx.ModelProto) -> None:
    """What onnx.checker and typed shape inference (without value propagation) have to say.

    Raises:
        InvalidModelError: with their first complaint; they stop there.
    """
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise InvalidModelError(
            f"onnx.checker refuses the model: {str(error).strip().splitlines()[0]}",
            remedy="export the model again",
        ) from error

"""The formats in their order, each proved against the source.

After every step ONNX Runtime runs source and result on the same seeded inputs. One step changes
what is computed, on purpose, and from there on the result is the new source:

* use_float32: agreement within 3 %, since the source rounds to 11 bits at every operator and the
  result does not; from there on the ordinary tolerance holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from onnx2snn.converter.execution import ExecutionError
from onnx2snn.converter.formats.use_float32 import use_float32
from onnx2snn.converter.judge import Judge
from onnx2snn.ir.errors import InvalidModelError
from onnx2snn.ir.findings import Change, Finding


@dataclass(frozen=True)
class Settled:
    """A model in float32 standard operators.

    Attributes:
        model: as ONNX.
        judge: knows what it computes.
        changes: what became of its nodes.
        findings: what the caller should know.
    """

    model: onnx.ModelProto
    judge: Judge
    changes: list[Change]
    findings: list[Finding]


def settle_format(model: onnx.ModelProto) -> Settled:
    """Bring a model to float32 standard operators.

    Args:
        model: with fixed input shapes.

    Raises:
        InvalidModelError: ONNX Runtime cannot run the model.
        UnsupportedOpError: operators that have no form in float32 standard operators.
        InvariantError: a step changed what the model computes.
    """
    findings: list[Finding] = []
    changes: list[Change] = []
    judge, model = _in_float32(model, changes, findings)
    return Settled(model, judge, changes, findings)


def _in_float32(
    model: onnx.ModelProto, changes: list[Change], findings: list[Finding]
) -> tuple[Judge, onnx.ModelProto]:
    single, made = use_float32(model)
    try:
        judge = Judge(model)
        if made:
            judge.check(single, use_float32.__name__, half=True)
    except ExecutionError as error:
        if not made:
            raise _not_runnable(error) from error
        findings.append(_unproved(error))
    changes += made
    if made:
        try:
            judge = Judge(single)
        except ExecutionError as error:
            raise _not_runnable(error) from error
    return judge, single


def _not_runnable(error: ExecutionError) -> InvalidModelError:
    return InvalidModelError(
        f"ONNX Runtime cannot run the model: {error}",
        remedy="check that the model runs in onnxruntime before converting it",
    )


def _unproved(error: ExecutionError) -> Finding:
    return Finding(
        code="precision-not-runnable",
        message="ONNX Runtime on CPU cannot run the model in its own precision, so the conversion "
        f"is compared with the same model in float32 ({error})",
        severity="warning",
        remedy="export the model in float32 to have the conversion compared with itself",
    )

"""The formats in their order, each proved against the source.

After every step ONNX Runtime runs source and result on the same seeded inputs. Two steps change
what is computed, on purpose, and from each of them on the result is the new source:

* use_float32: agreement within 3 %, since the source rounds to 11 bits at every operator and the
  result does not; from there on the ordinary tolerance holds.
* drop_dynamic_rounding: a quantiser that scales itself to its data never saturates, so rounding
  is all that is taken out. How far the outputs move is measured and said in a finding; half of
  their spread cannot be rounding and is a bug.

Static int8 quantisers are kept exactly, as the staircases they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.dequantise_weights import (
    DYNAMIC,
    dequantise_lstm,
    dequantise_weights,
)
from onnx2snn.converter.formats.drop_dynamic_rounding import drop_dynamic_rounding
from onnx2snn.converter.formats.expand_attention import expand_attention
from onnx2snn.converter.formats.expand_fused import expand_fused
from onnx2snn.converter.formats.expand_integer import expand_integer
from onnx2snn.converter.formats.expand_ml import expand_ml
from onnx2snn.converter.formats.expand_qlinear import expand_qlinear
from onnx2snn.converter.formats.refuse_foreign import refuse_foreign
from onnx2snn.converter.formats.sink_quantisers import sink_quantisers
from onnx2snn.converter.formats.use_float32 import use_float32
from onnx2snn.converter.formats.write_quantisers import write_quantisers
from onnx2snn.converter.graph.import_graph import import_graph
from onnx2snn.converter.graph.shapes import annotate_shapes, to_model
from onnx2snn.converter.judging.execution import ExecutionError
from onnx2snn.converter.judging.judge import Judge
from onnx2snn.converter.passes.fold_constants import fold_constants
from onnx2snn.converter.passes.merge_duplicates import merge_duplicates
from onnx2snn.ir.errors import InvalidModelError, InvariantError
from onnx2snn.ir.findings import Change, Finding

Step = Callable[[gs.Graph], list[Change]]

OPERATORS: tuple[Step, ...] = (
    fold_constants,  # all others look for constants
    expand_ml,
    expand_fused,
    expand_attention,
    expand_qlinear,
    expand_integer,
    dequantise_weights,
    refuse_foreign,
)
QUANTISERS: tuple[Step, ...] = (
    fold_constants,  # dequantises stored weights
    merge_duplicates,  # a tensor that is dequantised once for each reader
    sink_quantisers,
    write_quantisers,
)

_MOST_MOVED = 0.5
_NOTABLE = 0.05


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
    settled = _in_float32(model)
    if not any(_is_of_concern(node) for node in settled.model.graph.node):
        return settled
    graph = import_graph(settled.model)
    annotate_shapes(graph)
    judge = settled.judge
    changes = _apply(OPERATORS, graph, judge)
    findings = []
    if any(node.op in ("DynamicQuantizeLinear", *DYNAMIC) for node in graph.nodes):
        dropped = drop_dynamic_rounding(graph) + dequantise_lstm(graph)
        result = to_model(graph)
        findings = [_rounding_dropped(len(dropped), judge.distance(result))]
        annotate_shapes(graph)
        judge = Judge(result)
        changes += dropped
    if any("Linear" in node.op for node in graph.nodes):
        changes += _apply(QUANTISERS, graph, judge)
    findings += _grids_kept(changes)
    return Settled(to_model(graph), judge, settled.changes + changes, settled.findings + findings)


def _apply(steps: tuple[Step, ...], graph: gs.Graph, judge: Judge) -> list[Change]:
    changes = []
    for step in steps:
        made = step(graph)
        if made:
            judge.check(to_model(graph), step.__name__)
            annotate_shapes(graph)
            changes += made
    return changes


def _in_float32(model: onnx.ModelProto) -> Settled:
    single, changes = use_float32(model)
    findings: list[Finding] = []
    try:
        judge = Judge(model)
        if changes:
            judge.check(single, use_float32.__name__, half=True)
    except ExecutionError as error:
        if not changes:
            raise _not_runnable(error) from error
        findings.append(_unproved(error))
    if changes:
        try:
            judge = Judge(single)
        except ExecutionError as error:
            raise _not_runnable(error) from error
    return Settled(single, judge, changes, findings)


def _is_of_concern(node: onnx.NodeProto) -> bool:
    """Whether the node is one that the steps look for."""
    return (
        bool(node.domain)
        or "Linear" in node.op_type
        or "Integer" in node.op_type
        or node.op_type in ("Loop", "Scan")
    )


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


def _rounding_dropped(count: int, distance: float) -> Finding:
    if not distance <= _MOST_MOVED:
        raise InvariantError(
            f"without the rounding of dynamic quantisation outputs move by {distance:.0%}",
            remedy="please report this as a bug, with the model if you may",
        )
    return Finding(
        code="dynamic-rounding-dropped",
        message=f"the rounding of {count} dynamically quantised tensors or layers becomes that of "
        f"the neurons: outputs move by {distance:.2%} of their spread (root mean square, on noise)",
        severity="info" if distance <= _NOTABLE else "warning",
        remedy="" if distance <= _NOTABLE else "convert the float model it was quantised from",
    )


def _grids_kept(changes: list[Change]) -> list[Finding]:
    kept = [
        change
        for change in changes
        if change.op == "DequantizeLinear" and " steps of " in change.became
    ]
    if not kept:
        return []
    return [
        Finding(
            code="integer-grid-kept",
            message=f"the integer grids of {len(kept)} activations are kept exactly, as the quanta "
            "and bounds of their neurons",
        )
    ]

"""Check: what a conversion would make of a model, node by node, without converting it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from onnx2snn.converter.canonicalise import Canonical, canonicalise
from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.planning.network import plan_nodes
from onnx2snn.converter.planning.plan import Plan
from onnx2snn.converter.presets import Preset
from onnx2snn.converter.source.read import ModelLike, Source, read_model
from onnx2snn.ir.errors import ModelError
from onnx2snn.ir.findings import Change, Finding
from onnx2snn.ir.manifest import NodeFate, SourceModel


class CheckReport(BaseModel):
    """The account of a check.

    Attributes:
        name: name of the model.
        source: the model, if it could be read.
        convertible: whether a conversion would succeed.
        nodes: what would become of every node of the source.
        findings: problems (severity error) and remarks.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    source: SourceModel | None
    convertible: bool
    nodes: tuple[NodeFate, ...] = ()
    findings: tuple[Finding, ...] = ()


def check(
    model: ModelLike, *, preset: str | Preset = "graded", strict: bool = False
) -> CheckReport:
    """Tell node by node what a conversion would make of a model, and why.

    Args:
        model: path, bytes or ``ModelProto`` of the ANN.
        preset: the knobs of the conversion that is asked about.
        strict: count operators that would not spike as problems.

    Returns:
        The account. A model that cannot be read gives an account, too: its findings say why.
    """
    settings = find_preset(preset) if isinstance(preset, str) else preset
    try:
        source = read_model(model)
        canonical = canonicalise(source)
    except ModelError as error:
        findings = error.findings or (_as_finding(error),)
        return CheckReport(name=str(model), source=None, convertible=False, findings=findings)
    planned = plan_nodes(canonical.model, settings)
    findings = (*canonical.findings, *planned.plan.findings)
    if strict:
        findings += tuple(analog_findings(planned.plan))
    return CheckReport(
        name=source.name,
        source=SourceModel(name=source.name, sha256=source.sha256, opset=source.opset),
        convertible=not any(finding.severity == "error" for finding in findings),
        nodes=node_fates(source, canonical, planned.plan, planned.changes),
        findings=findings,
    )


def node_fates(
    source: Source, canonical: Canonical, plan: Plan, moved: Sequence[Change]
) -> tuple[NodeFate, ...]:
    """Return what becomes of every node of the source, in its order, then of the nodes added."""
    details = {change.node: change.became for change in (*canonical.changes, *moved)}
    fates = [
        _source_fate(node.name, node.op_type, details, plan) for node in source.model.graph.node
    ]
    known = {node.name for node in source.model.graph.node}
    added = ("input", "encoder")
    return (
        *fates,
        *(f for f in plan.fates.values() if f.node not in known and f.fate in added),
    )


def _source_fate(name: str, op: str, details: dict[str, str], plan: Plan) -> NodeFate:
    if name in plan.fates:
        planned = plan.fates[name]
        return planned.model_copy(update={"op": op, "detail": details.get(name, planned.detail)})
    detail = details.get(name, "became part of its neighbours")
    return NodeFate(node=name, op=op, fate="folded", detail=detail)


def analog_nodes(plan: Plan) -> list[NodeFate]:
    """Return the nodes that compute on analog estimates and are not linear.

    A product of two activations is one of them, whatever its operator: at least one factor is an
    estimate, not a trained weight, so every timestep costs multiplications, and its result is
    analog.
    """
    return [
        fate
        for fate in plan.fates.values()
        if fate.fate == "bilinear" or (fate.fate == "lift" and fate.detail.startswith("analog"))
    ]


def analog_findings(plan: Plan) -> list[Finding]:
    """Return one error per node that would not spike."""
    return [
        Finding(
            code="analog-op",
            severity="error",
            message="its output is analog, not spikes",
            node=fate.node,
            op=fate.op,
            remedy="convert without --strict, or replace the operator and fine-tune",
        )
        for fate in analog_nodes(plan)
    ]


def _as_finding(error: ModelError) -> Finding:
    return Finding(code=error.code, severity="error", message=error.message, remedy=error.remedy)

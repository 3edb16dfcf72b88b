"""Seal: turn a plain spiking graph into the file's form: bodies, manifest, versions, docs.

Passes work on plain nodes, because every public optimizer drops local functions; so bodies and
manifest are attached last, here.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import helper

from onnx2snn.ir.grammar import check_grammar
from onnx2snn.ir.manifest import MANIFEST_KEY, Manifest
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, DOMAIN_VERSION, IR_VERSION, OPS, OPSET, SpikingOp


def used_ops(graph: onnx.GraphProto) -> tuple[SpikingOp, ...]:
    """Return the spiking operators a graph uses, in the order of ``OPS``."""
    names = {node.op_type for node in graph.node if node.domain == DOMAIN}
    return tuple(op for op in OPS if op.name in names)


def seal(
    graph: onnx.GraphProto, manifest: Manifest, foreign: Mapping[str, int] | None = None
) -> SpikingModel:
    """Attach function bodies, manifest and versions to a plain spiking graph.

    Args:
        graph: standard linear nodes and ``onnx2snn`` nodes; the last input is ``timesteps``.
        manifest: what the file says about itself.
        foreign: versions of further domains; those that no node uses are left out.

    Returns:
        The sealed model, checked against the grammar.

    Raises:
        InvariantError: the graph breaks the grammar.
    """
    used = {node.domain for node in graph.node}
    domains = {name: number for name, number in (foreign or {}).items() if name in used}
    domains |= {"": OPSET, DOMAIN: DOMAIN_VERSION}
    proto = helper.make_model(
        graph,
        functions=[op.sequence_body() for op in used_ops(graph)],
        opset_imports=[helper.make_opsetid(name, version) for name, version in domains.items()],
        ir_version=IR_VERSION,
        producer_name="onnx2snn",
        producer_version=manifest.producer.removeprefix("onnx2snn "),
        doc_string=(
            f"Spiking neural network converted from {manifest.source.name} by onnx2snn, preset "
            f"{manifest.preset}. Runs in any ONNX runtime; the optional input "
            f"'{graph.input[-1].name}' sets the number of timesteps (default "
            f"{manifest.timesteps}). Specification: docs/ir.md of the onnx2snn project."
        ),
    )
    helper.set_model_props(proto, {MANIFEST_KEY: manifest.model_dump_json()})
    check_grammar(proto)
    return SpikingModel(proto)

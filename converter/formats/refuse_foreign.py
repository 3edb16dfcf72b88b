"""What is left outside the standard after all expansions is refused by name.

Operators of com.microsoft without a form in standard operators here, and control flow whose trip
count the passes cannot see: nothing behind them could become a spiking network.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.dequantise_weights import DYNAMIC
from onnx2snn.converter.formats.expand_qlinear import MICROSOFT
from onnx2snn.converter.graph.rewiring import is_op
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.findings import Change, Finding

_FUSED = (
    "ONNX Runtime made it by fusing standard operators, and there is no way back here",
    "use the model as it was exported, not one saved by ONNX Runtime at optimisation level "
    "'extended' or 'all'",
)
_LOOP = (
    "its body runs an unknown number of times on state of its own",
    "export the model with the loop unrolled for a fixed length (torch.onnx traces it so)",
)


def refuse_foreign(graph: gs.Graph) -> list[Change]:
    """Changes nothing.

    Raises:
        UnsupportedOpError: naming every operator that nothing around it can save.
    """
    fused = [n for n in graph.nodes if n.domain == MICROSOFT and n.op not in DYNAMIC]
    findings = [_finding(node, *_FUSED) for node in fused] + [
        _finding(node, *_LOOP) for node in graph.nodes if is_op(node, "Loop", "Scan")
    ]
    if findings:
        raise UnsupportedOpError(
            "the model uses operators that have no form in standard operators", findings=findings
        )
    return []


def _finding(node: gs.Node, message: str, remedy: str) -> Finding:
    return Finding(
        code="unsupported-op",
        message=message,
        severity="error",
        node=node.name,
        op=f"{node.domain}::{node.op}" if node.domain else node.op,
        opset=0 if node.domain else 21,
        remedy=remedy,
    )

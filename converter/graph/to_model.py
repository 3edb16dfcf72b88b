"""From onnx-graphsurgeon graphs to ONNX models that run."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import onnx_graphsurgeon as gs
from onnx import helper
from onnx_graphsurgeon.logger import G_LOGGER

from onnx2snn.ir.ops import IR_VERSION

# Its warnings go to stdout, which belongs to the caller (--json).
G_LOGGER.severity = G_LOGGER.ERROR


def to_model(graph: gs.Graph, extra_outputs: Sequence[str] = ()) -> onnx.ModelProto:
    """Export a graph to ONNX, optionally with more tensors as outputs.

    Types of the extra outputs are left to the runtime that loads the model.
    """
    model: onnx.ModelProto = gs.export_onnx(graph, do_type_check=False)
    known = {output.name for output in model.graph.output}
    for name in extra_outputs:
        if name not in known:
            model.graph.output.append(helper.make_empty_tensor_value_info(name))
            known.add(name)
    model.ir_version = IR_VERSION
    return model

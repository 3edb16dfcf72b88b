"""The expected model: random operators give way to the expected value of what they emit.

``PoissonSpikes`` is the only random operator. In its place stands its input, clipped: what it emits
at each timestep on average.
"""

from __future__ import annotations

import onnx

from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, PoissonSpikes

SUFFIX = "_Expected"


def expect(model: SpikingModel) -> onnx.ModelProto:
    """Return the folded model without randomness."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model.plain)
    op = PoissonSpikes()
    random = [n for n in proto.graph.node if n.domain == DOMAIN and n.op_type == op.name]
    if random:
        body = op.expected_body()
        body.name = op.name + SUFFIX
        proto.functions.append(body)
    for node in random:
        node.op_type = op.name + SUFFIX
    return proto

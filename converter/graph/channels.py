"""Which axis of a tensor holds its channels, so that thresholds can be set per channel."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import producer

_FEATURES_LAST = ("Gemm", "MatMul", "LayerNormalization")
_FEATURES_SECOND = ("Conv", "ConvTranspose", "BatchNormalization", "GlobalAveragePool", "MaxPool")


def channel_axis(tensor: gs.Tensor, rank: int) -> int:
    """Return the channel axis of a tensor: found at the operator that computes it.

    Convolutions put channels on axis 1, matrix products on the last axis; elementwise operators
    and pools keep them where they are, a transposition moves them.
    """
    if rank <= 2:
        return max(rank - 1, 0)
    node = producer(tensor)
    while node is not None:
        if node.op in _FEATURES_SECOND:
            return 1
        if node.op in _FEATURES_LAST:
            return rank - 1
        if node.op == "Transpose" and "perm" in node.attrs:
            source = channel_axis(node.inputs[0], rank)
            return list(node.attrs["perm"]).index(source)
        if node.op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze"):
            break
        node = next((producer(i) for i in node.inputs if isinstance(i, gs.Variable)), None)
    return 1 if rank >= 4 else rank - 1

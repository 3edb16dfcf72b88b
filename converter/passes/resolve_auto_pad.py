"""auto_pad becomes explicit pads.

    SAME:  out = ceil(in / stride),  total = (out - 1) stride + dilation (kernel - 1) + 1 - in
           SAME_UPPER puts the odd one at the end, SAME_LOWER at the beginning
    VALID: no pads

Refuses: unknown spatial lengths; ConvTranspose with SAME or output_shape, whose pads depend on
more than this.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.graph.rewiring import constant_operand, is_op, static_dims
from onnx2snn.ir.findings import Change

_WINDOWED = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool")


def resolve_auto_pad(graph: gs.Graph) -> list[Change]:
    """Replaces auto_pad by the pads it stands for."""
    changes = []
    for node in graph.nodes:
        mode = node.attrs.get("auto_pad", "NOTSET")
        if not is_op(node, *_WINDOWED) or mode == "NOTSET":
            continue
        pads = _pads(node, mode)
        if pads is None:
            continue
        del node.attrs["auto_pad"]
        node.attrs["pads"] = pads
        changes.append(Change(node=node.name, op=node.op, became=f"{node.op} with pads {pads}"))
    return changes


def _pads(node: gs.Node, mode: str) -> list[int] | None:
    dims = static_dims(node.inputs[0])
    kernel = _kernel(node)
    if kernel is None:
        return None
    if mode == "VALID":
        return [0] * (2 * len(kernel))
    if dims is None or node.op == "ConvTranspose" or len(dims) != len(kernel) + 2:
        return None
    strides = node.attrs.get("strides", [1] * len(kernel))
    dilations = node.attrs.get("dilations", [1] * len(kernel))
    begin, end = [], []
    for length, k, stride, dilation in zip(dims[2:], kernel, strides, dilations, strict=True):
        if length is None:
            return None
        reach = (-(-length // stride) - 1) * stride + dilation * (k - 1) + 1
        total = max(reach - length, 0)
        less, more = total // 2, total - total // 2
        begin.append(less if mode == "SAME_UPPER" else more)
        end.append(more if mode == "SAME_UPPER" else less)
    return [*begin, *end]


def _kernel(node: gs.Node) -> list[int] | None:
    if "kernel_shape" in node.attrs:
        return [int(k) for k in node.attrs["kernel_shape"]]
    weight = constant_operand(node, 1)
    return None if weight is None else [int(k) for k in weight.shape[2:]]

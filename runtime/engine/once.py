"""What a timestep need not repeat: constant input, and sums over time behind the last neurons.

A raw input shown at every stimulus step passes linear operators as it is: they run once, on
[N, *F], and the neuron behind them integrates the same current at every such step (*held*). The
read-out needs the sum of a stream over time alone, and linear operators commute with sums: spikes
are summed first (*total*), and the operators between the last neurons and the read-out run once.
Both are exact up to the order of summation; with int8 weights the full layers of held streams are
rounded (``held_product.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper

from onnx2snn.ir.ops import DOMAIN, DirectCurrent, ReadOut
from onnx2snn.runtime.engine.attributes import attributes
from onnx2snn.runtime.engine.held_product import held_product
from onnx2snn.runtime.engine.stream import ENGINE

if TYPE_CHECKING:
    from onnx2snn.runtime.engine.lowering import Lowering

_ROW_BY_ROW = {
    *("Conv", "Gemm", "MatMul", "AveragePool", "GlobalAveragePool", "Add", "Flatten", "Reshape"),
    *("Squeeze", "Transpose", "ReduceMean", "Identity"),
}
"""Linear operators that these rules let run on [N, *F] in the place of [T*N, *F]."""


class Held:
    """Streams that are the same at every stimulus step.

    Attributes:
        raw: by stream, the tensor [N, *F] it shows.
        stimulus: by stream, the tensor that holds S.
    """

    def __init__(self) -> None:
        self.raw: dict[str, str] = {}
        self.stimulus: dict[str, str] = {}

    def visit(self, lowering: Lowering, node: onnx.NodeProto) -> bool:
        """Take note of a node whose output is held; says whether it is."""
        if node.domain == DOMAIN and node.op_type == DirectCurrent.name:
            self.raw[node.output[0]] = node.input[0]
            self.stimulus[node.output[0]] = node.input[2]
            return True
        given = [name for name in node.input if name in self.raw]
        if not given or not _runs_once(lowering, node, given):
            return False
        if len({self.stimulus[name] for name in given}) != 1:
            return False
        once = held_product(lowering, node, self.raw) or _copy(node, self.raw, "held")
        lowering.nodes.append(once)
        self.raw[node.output[0]] = once.output[0]
        self.stimulus[node.output[0]] = self.stimulus[given[0]]
        return True


def total_read_out(lowering: Lowering, node: onnx.NodeProto) -> bool:
    """Lower a ReadOut to operators on sums over time; says whether it was possible."""
    if node.domain != DOMAIN or node.op_type != ReadOut.name:
        return False
    total = _total(lowering, node.input[0], node.input[2], {})
    if total is None:
        return False
    name = f"{ENGINE}/{node.output[0]}"
    float_type = onnx.TensorProto.FLOAT
    steps = [
        helper.make_node("Min", [node.input[2], node.input[3]], [f"{name}/steps"]),
        helper.make_node("Cast", [f"{name}/steps"], [f"{name}/gain"], to=float_type),
        helper.make_node("Div", [total, f"{name}/gain"], [f"{name}/mean"]),
        helper.make_node("Add", [f"{name}/mean", node.input[1]], list(node.output), name=node.name),
    ]
    lowering.nodes.extend(steps)
    return True


def _total(lowering: Lowering, stream: str, timesteps: str, made: dict[str, str]) -> str | None:
    """Return the tensor [N, *F] of a stream's sum over time; None if there is no such form."""
    if stream in made:
        return made[stream]
    spikes = lowering.fired(stream)
    name = f"{ENGINE}/{stream}/total"
    if spikes is not None:
        quantum = lowering.add_constant(f"{stream}/total_quantum", spikes.quantum)
        inputs = [spikes.tensor, quantum, timesteps]
        lowering.nodes.append(helper.make_node("Total", inputs, [name], domain=ENGINE))
        made[stream] = name
        return name
    node = lowering.linear_node(stream)
    given = [] if node is None else [n for n in node.input if lowering.constant(n) is None and n]
    if node is None or not _runs_once(lowering, node, given):
        return None
    for read in given:
        if _total(lowering, read, timesteps, made) is None:
            return None
    once = _copy(node, made, "total")
    lowering.nodes.append(once)
    made[stream] = once.output[0]
    return made[stream]


def _runs_once(lowering: Lowering, node: onnx.NodeProto, streams: list[str]) -> bool:
    """Say whether a node treats rows one by one and everything but ``streams`` is constant."""
    if node.domain != "" or node.op_type not in _ROW_BY_ROW or len(node.output) != 1:
        return False
    others = [name for name in node.input if name and name not in streams]
    if any(lowering.constant(name) is None for name in others):
        return False
    told = attributes(node)
    if node.op_type == "Reshape":
        target = lowering.constant(node.input[1])
        return target is not None and target.size > 0 and int(target[0]) in (0, -1)
    if node.op_type == "Add":
        return not others
    if node.op_type in ("Squeeze", "ReduceMean"):
        axes = lowering.constant(node.input[1]) if len(node.input) > 1 else None
        return axes is not None and not bool(np.any(axes == 0)) and int(np.min(axes)) >= 0
    perm = told.get("perm")
    keeps_rows = node.op_type != "Transpose" or (perm is not None and perm[0] == 0)
    biased = node.op_type in ("Conv", "Gemm") and any(node.input[2:])
    flat = node.op_type != "Flatten" or told.get("axis", 1) == 1
    plain = node.op_type not in ("Gemm", "MatMul") or (
        node.input[0] in streams and not told.get("transA", 0)
    )
    return keeps_rows and not biased and flat and plain


def _copy(node: onnx.NodeProto, renamed: dict[str, str], label: str) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.name = f"{ENGINE}/{node.name}/{label}" if node.name else ""
    del copy.input[:], copy.output[:]
    copy.input.extend(renamed.get(name, name) for name in node.input)
    copy.output.append(f"{ENGINE}/{node.output[0]}/{label}")
    return copy

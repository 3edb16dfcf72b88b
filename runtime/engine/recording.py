"""Counting the events of lowered streams where they are: on codes, never as dense tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import helper

from onnx2snn.ir.derive.record import counter_of
from onnx2snn.runtime.engine.stream import ENGINE

if TYPE_CHECKING:
    from onnx2snn.runtime.engine.lowering import Lowering


def count_events(lowering: Lowering, node: onnx.NodeProto) -> bool:
    """Lower a counter of events (:mod:`onnx2snn.ir.derive.record`); says whether it could be.

    ``CountEvents`` gives the maps and the counts channel-last, as the emissions are; they are
    moved to the layout of the stream behind it: T times less than the emissions.
    """
    counter = counter_of(node)
    emissions = lowering.emissions(node.input[0])
    shape = lowering.shape(node.input[0])
    if counter is None or emissions is None or shape is None or emissions.flat:
        return False
    maps, events, negative, count = node.output
    made = [maps, events, negative, count]
    moved = {}
    if len(shape) > 2:
        rank = len(shape)
        moved = {
            maps: [0, 1, rank, *range(2, rank)],
            count: [0, rank - 1, *range(1, rank - 1)],
        }
        made = [f"{ENGINE}/{name}" if name in moved else name for name in made]
    lowering.nodes.append(
        helper.make_node(
            "CountEvents",
            [emissions.tensor, node.input[1], node.input[2]],
            made,
            domain=ENGINE,
            digits=counter.digits,
            per_sample=int(counter.per_sample),
        )
    )
    for name, order in moved.items():
        lowering.nodes.append(
            helper.make_node("Transpose", [f"{ENGINE}/{name}"], [name], perm=order)
        )
    return True

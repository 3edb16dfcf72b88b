"""Inputs without offsets: what an encoder adds to every value moves into the currents behind it.

An input on a grid that does not start at zero is encoded as x + c, and the constants of the layers
behind take c back. Formats without encoders feed x itself, so c passes through the synapses once,
here, and joins the constant currents of the next layers:

    c'_l = c_l + (the linear operators from the input to l) (c)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnx2snn.converter.graph.segments import cut
from onnx2snn.converter.judging.stream_sizes import one_sample, stream_sizes
from onnx2snn.ir.derive.parts import assemble
from onnx2snn.ir.errors import ExportError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, DirectCurrent, Neuron, spiking_op
from onnx2snn.ir.session import Session, Tensors

_PREFIX = "onnx2snn/offset/"


def absorb_offsets(model: SpikingModel) -> SpikingModel:
    """Return the model with encoders of current 0 that computes the same; folded.

    Raises:
        ExportError: an offset arrives at an operator without a current.
    """
    nodes = [node for node in model.plain.graph.node if node.domain == DOMAIN]
    shown = {n.output[0] for n in nodes if n.op_type == DirectCurrent.name}
    encoders = [n for n in nodes if n.input[0] in shown and isinstance(spiking_op(n), Neuron)]
    offsets = {n.output[0]: _current(model, n) for n in encoders}
    offsets = {name: value for name, value in offsets.items() if np.any(value)}
    if not offsets:
        return model
    arrived = _arrived(model, nodes, offsets)
    changes = {}
    for node in nodes:
        if node.output[0] in offsets:
            changes[node.output[0]] = np.zeros((), np.float32)
        elif np.any(arrived.get(node.input[0], 0.0)):
            if "current" not in spiking_op(node).inputs:
                raise ExportError(
                    f"the offset of an input reaches '{node.name}' ({node.op_type})",
                    remedy="use a network whose inputs pass a convolution or dense layer first",
                )
            total = _current(model, node) + np.asarray(arrived[node.input[0]], np.float64)
            changes[node.output[0]] = total.astype(np.float32)
    return _with_currents(model, changes)


def _current(model: SpikingModel, node: onnx.NodeProto) -> NDArray[np.float64]:
    position = spiking_op(node).inputs.index("current")
    return np.asarray(model.initializers[node.input[position]], np.float64)


def _arrived(
    model: SpikingModel,
    nodes: list[onnx.NodeProto],
    offsets: Mapping[str, NDArray[np.float64]],
) -> Tensors:
    """Return what reaches the input of every stateful operator if only the offsets are shown."""
    emitted = [node.output[0] for node in nodes]
    sizes = stream_sizes(model, emitted)
    shown: Tensors = {
        name: np.broadcast_to(offsets.get(name, np.zeros(())), size).astype(np.float32)
        for name, size in sizes.items()
    }
    read = {node.input[0] for node in nodes if node.op_type != DirectCurrent.name}
    values: Tensors = {name: shown[name] for name in read & set(shown)}
    computed = sorted(read - set(shown))
    if computed:
        session = Session(cut(model.plain, shown, computed))
        feeds: Tensors = {**one_sample(model), **shown}
        given: Tensors = {
            name: feeds[name] if name in feeds else model.initializers[name]
            for name in session.inputs
        }
        values |= session.run(given, computed)
    return values


def _with_currents(model: SpikingModel, changes: Mapping[str, NDArray[np.float32]]) -> SpikingModel:
    plain = model.plain
    nodes, constants = [], []
    for node in plain.graph.node:
        fresh = onnx.NodeProto()
        fresh.CopyFrom(node)
        if node.domain == DOMAIN and node.output[0] in changes:
            name = f"{_PREFIX}{node.output[0]}"
            fresh.input[spiking_op(node).inputs.index("current")] = name
            constants.append(numpy_helper.from_array(changes[node.output[0]], name))
        nodes.append(fresh)
    ends = (plain.graph.input, plain.graph.output)
    proto = assemble(plain, nodes, *ends, plain.functions, constants)
    proto.graph.value_info.extend(plain.graph.value_info)
    proto.metadata_props.extend(plain.metadata_props)
    return SpikingModel(proto, model.weights)

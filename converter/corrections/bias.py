"""Sequential bias correction: each layer's constant absorbs the mean error of the prefix.

    c_channel += mean(ANN activation) - mean(value of the spiking layer), layer by layer

The spiking network itself is run, one layer at a time on stored streams of the layers before, so
the cost is linear in depth. With S fixed the settled values are compared, with S = T (rate coding)
the values after T timesteps, so that the mean residual potential and delay are corrected too.
Only calibration data is used, and no labels.
Source: Li et al., ICML 2021 (SNN calibration, light pipeline).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnx2snn.converter.calibration.statistics import channels_first
from onnx2snn.converter.graph.segments import cut
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.model import NeuronLayer, SpikingModel
from onnx2snn.ir.session import Session, Tensors

ROUNDS = 2
"""A correction shifts only what is above threshold; a second round takes most of what is left."""


def correct_bias(
    model: SpikingModel,
    means: Mapping[str, NDArray[np.float64]],
    axes: Mapping[str, int],
    samples: Tensors,
    *,
    settled: bool,
) -> SpikingModel:
    """Return the model with corrected constant currents.

    Args:
        model: a sealed model in the folded layout.
        means: the ANN's mean activation per channel [C], by neuron layer; others are left alone.
        axes: channel axis by neuron layer.
        samples: calibration feeds, all at once; cap their number.
        settled: compare settled values; otherwise the values after the model's default T.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(settle(model) if settled else model.proto)
    timesteps = 1 if settled else model.manifest.timesteps
    gain = 1 if settled else model.stimulus_steps(timesteps)
    layers = model.neurons
    boundary = {layer.output for layer in layers}
    last_use = last_uses(proto, [layer.output for layer in layers], boundary)
    constants = {tensor.name: tensor for tensor in proto.graph.initializer}
    stored: Tensors = dict(samples)
    currents: dict[str, NDArray[np.float32]] = {}
    for index, layer in enumerate(layers):
        name = current_name(proto, layer)
        if layer.input not in stored:
            stored[layer.input] = _run(proto, boundary, layer.input, stored)
        arrives = boundary | {layer.input}
        for _ in range(ROUNDS if layer.name in means else 0):
            value = _run(proto, arrives, layer.output, stored)
            gap = _gap(value, means[layer.name], axes[layer.name], timesteps, gain)
            currents[name] = numpy_helper.to_array(constants[name]) + gap
            constants[name].CopyFrom(numpy_helper.from_array(currents[name], name))
        stored[layer.output] = _run(proto, arrives, layer.output, stored)
        if layer.input not in boundary:
            stored.pop(layer.input)
        for used in last_use.get(index, ()):
            stored.pop(used, None)
    return with_initializers(model, currents)


def _run(
    proto: onnx.ModelProto, boundary: set[str], output: str, stored: Tensors
) -> NDArray[np.generic]:
    session = Session(cut(proto, boundary - {output}, [output]))
    return session.run({name: stored[name] for name in session.inputs})[output]


def _gap(
    value: NDArray[np.generic],
    mean: NDArray[np.float64],
    axis: int,
    timesteps: int,
    gain: int,
) -> NDArray[np.float32]:
    """Return mean ANN activation minus mean decoded value, broadcastable to the layer."""
    decoded = channels_first(value, axis).mean(axis=1) * timesteps / gain
    gap = mean - decoded
    shape = tuple(-1 if i == axis else 1 for i in range(value.ndim))
    return np.asarray(gap, np.float32).reshape(shape)


def current_name(proto: onnx.ModelProto, layer: NeuronLayer) -> str:
    """Return the initializer that holds a layer's constant current."""
    node = next(node for node in proto.graph.node if layer.output in node.output)
    return str(node.input[layer.op.inputs.index("current")])


def last_uses(
    proto: onnx.ModelProto, outputs: Sequence[str], boundary: set[str]
) -> dict[int, list[str]]:
    """Return after which layer index each stored stream is no longer read."""
    last: dict[str, int] = {}
    for index, output in enumerate(outputs):
        for info in cut(proto, boundary - {output}, [output]).graph.input:
            last[info.name] = index
    uses: dict[int, list[str]] = {}
    for name, index in last.items():
        uses.setdefault(index, []).append(name)
    return uses


def with_initializers(
    model: SpikingModel, values: Mapping[str, NDArray[np.float32]]
) -> SpikingModel:
    """Return the model with some initializers replaced."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    for tensor in proto.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(numpy_helper.from_array(values[tensor.name], tensor.name))
    return SpikingModel(proto)

"""Layer by layer through a spiking network, on stored streams: what sequential corrections walk on.

Every layer of neurons is run on what the layers in front of it really emit, so a correction sees
the quantised, delayed prefix; what it decides is in force before the next layer runs. The synapses
in front of a layer run once, whatever the correction tries; the cost is linear in depth. Random
input spikes give way to their expected value: a correction must not learn the noise of one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnx2snn.converter.graph.segments import cut
from onnx2snn.ir.derive.expect import expect
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.model import NeuronLayer, SpikingModel
from onnx2snn.ir.ops import TemporalBias
from onnx2snn.ir.session import Session, Tensors
from onnx2snn.ir.stored_weights import tensor_values
from onnx2snn.ir.types import Array

ADJUSTABLE = ("current",)
"""Inputs of a neuron that a correction may change; a table in front of it is another one."""

_MEAN = "/mean"
"""Behind the name of a layer's stream: its mean per row and channel, [T*N, C]."""


@dataclass
class LayerRun:
    """One layer of neurons on its stored input.

    Attributes:
        layer: the layer.
        axis: its channel axis.
        timesteps: T of the streams; 1 where settled values are compared.
        gain: g_T.
        values: its adjustable constants by formal name; assign to change them for good.
    """

    layer: NeuronLayer
    axis: int
    timesteps: int
    gain: int
    values: dict[str, Array]
    _session: Session = field(repr=False)
    _feeds: Tensors = field(repr=False)
    _names: Mapping[str, str] = field(repr=False)

    def emitted(self, **tried: Array) -> Array:
        """Return the stream of the layer [T*N, *F], with some constants replaced for this call."""
        values = self._constants(tried)
        result = self._session.run({**self._feeds, **values}, [self.layer.output])
        return np.asarray(result[self.layer.output], np.float32)

    def means(self, **tried: Array) -> NDArray[np.float64]:
        """Return the mean emission of every timestep per channel [T, C]."""
        values = self._constants(tried)
        name = f"{self.layer.output}{_MEAN}"
        by_row = np.asarray(self._session.run({**self._feeds, **values}, [name])[name], np.float64)
        channels = by_row.shape[-1] if by_row.ndim else 1  # a layer of rank 0 is one neuron
        return np.asarray(by_row.reshape(self.timesteps, -1, channels).mean(axis=1))

    def _constants(self, tried: Mapping[str, Array]) -> Tensors:
        """Return the adjustable constants by tensor; sums of scalars are arrays again."""
        values = {**self.values, **tried}
        return {self._names[key]: np.asarray(value, np.float32) for key, value in values.items()}

    def mean(self, **tried: Array) -> NDArray[np.float64]:
        """Return the mean decoded value per channel [C]."""
        return np.asarray(self.means(**tried).sum(axis=0) / self.gain)

    def per_channel(self, values: NDArray[np.float64]) -> Array:
        """Return values [C], or [K, C], in a shape that broadcasts to the layer (or K of it)."""
        rank = len(next(iter(self._feeds.values())).shape)
        if rank == 0 and values.size == 1:
            return np.asarray(values, np.float32).reshape(())
        shape = [1] * rank
        if values.ndim == 2:
            shape[0] = len(values)
        shape[self.axis] = values.shape[-1]
        return np.asarray(values, np.float32).reshape(shape)


class LayerWalk:
    """Iterates over the layers of neurons; the model with all changes is ``result()`` afterwards.

    Args:
        model: a sealed model in the folded layout.
        samples: calibration feeds, all at once; cap their number.
        axes: channel axis by name of the layer; layers without one are run and not yielded.
        settled: run settled values; otherwise the model's default T timesteps.
        library: custom-op library that runs neurons compiled, if there is one.
    """

    def __init__(
        self,
        model: SpikingModel,
        samples: Tensors,
        axes: Mapping[str, int],
        *,
        settled: bool,
        library: str | None = None,
    ) -> None:
        self._model = model
        self._proto = settle(model) if settled else expect(model)
        self._library = library
        self._timesteps = 1 if settled else model.manifest.timesteps
        self._gain = 1 if settled else model.stimulus_steps(self._timesteps)
        self._axes = axes
        self._stored: Tensors = dict(samples)
        self._changed: dict[str, Array] = {}

    def __iter__(self) -> Iterator[LayerRun]:
        layers = self._model.neurons
        boundary = {layer.output for layer in layers}
        last_use = last_uses(self._proto, [layer.output for layer in layers], boundary)
        for index, layer in enumerate(layers):
            run = self._prepare(layer, boundary)
            before = dict(run.values)
            if layer.name in self._axes:
                yield run
            changed = {key: value for key, value in run.values.items() if value is not before[key]}
            self._changed.update((run._names[key], value) for key, value in changed.items())
            self._stored[layer.output] = run.emitted()
            for used in last_use.get(index, ()):
                self._stored.pop(used, None)

    def result(self) -> SpikingModel:
        """Return the model with the constants that were changed."""
        return with_initializers(self._model, self._changed)

    def _prepare(self, layer: NeuronLayer, boundary: set[str]) -> LayerRun:
        node = next(n for n in self._proto.graph.node if layer.output in n.output)
        names = {key: node.input[layer.op.inputs.index(key)] for key in ADJUSTABLE}
        arrives = layer.input
        bias = next((n for n in self._proto.graph.node if arrives in n.output), None)
        if bias is not None and bias.op_type.startswith(TemporalBias.name):
            arrives, names["table"] = bias.input[:2]
        feeds: Tensors = {}
        if arrives in self._stored:
            feeds[arrives] = self._stored[arrives]
        else:
            part = Session(cut(self._proto, boundary, [arrives]), library=self._library)
            feeds.update(part.run({name: self._stored[name] for name in part.inputs}))
        stop = (boundary | {arrives}) - {layer.output}
        part = _opened(cut(self._proto, stop, [layer.output]), tuple(names.values()))
        axis = self._axes.get(layer.name, 1)
        _add_mean(part, layer.output, axis, len(feeds[arrives].shape))
        session = Session(part, library=self._library)
        constants = {t.name: t for t in self._proto.graph.initializer}
        values = {
            key: np.asarray(tensor_values(constants[name]), np.float32)
            for key, name in names.items()
        }
        return LayerRun(layer, axis, self._timesteps, self._gain, values, session, feeds, names)


def _opened(part: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Turn some initializers of a part into inputs."""
    kept = [tensor for tensor in part.graph.initializer if tensor.name not in names]
    del part.graph.initializer[:]
    part.graph.initializer.extend(kept)
    part.graph.input.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    return part


def _add_mean(part: onnx.ModelProto, stream: str, axis: int, rank: int) -> None:
    """Add the mean of a stream over all axes but the first and the channels, [T*N, C].

    Without channels (rank 1) the rows are one channel, [T*N, 1].
    """
    others = [i for i in range(1, rank) if i != axis]
    axes = numpy_helper.from_array(np.asarray(others or [1], np.int64), f"{stream}{_MEAN}/axes")
    part.graph.initializer.append(axes)
    op = "ReduceMean" if others else "Unsqueeze" if rank == 1 else "Identity"
    inputs = [stream] if op == "Identity" else [stream, axes.name]
    node = helper.make_node(op, inputs, [f"{stream}{_MEAN}"])
    if op == "ReduceMean":
        node.attribute.append(helper.make_attribute("keepdims", 0))
    part.graph.node.append(node)
    part.graph.output.append(
        helper.make_tensor_value_info(f"{stream}{_MEAN}", onnx.TensorProto.FLOAT, None)
    )


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


def with_initializers(model: SpikingModel, values: Mapping[str, Array]) -> SpikingModel:
    """Return the model with some initializers replaced."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model.light)
    for tensor in proto.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(numpy_helper.from_array(values[tensor.name], tensor.name))
    return SpikingModel(proto, model.weights)

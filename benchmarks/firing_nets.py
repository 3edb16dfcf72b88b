"""Nets of known shapes that fire at a known rate: what a table of speeds is measured on.

    python benchmarks/firing_nets.py FOLDER [--net mlp resnet20 vgg16] [--rate 0.1] [-T 32]

writes NAME.onnx (the ANN), NAME.snn.onnx (binary neurons, soft reset, S = T, direct input current)
and NAME.npz (samples). Weights are random (He), so the nets say nothing about accuracy; the
threshold of each layer is bisected, first layer first, until its neurons fire at the wanted mean
rate on the samples. As in trained nets many neurons stay silent and a few fire often.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnx2snn.converter import convert
from onnx2snn.ir.derive.parts import assemble, float_tensor, upstream
from onnx2snn.ir.model import NeuronLayer, SpikingModel
from onnx2snn.ir.session import Session
from onnx2snn.runtime.native.library import custom_ops_path

SAMPLES = 128
MEASURED_SAMPLES = 2
MEASURED_NEURONS = 8192
BISECTIONS = 20


class FiringNet(NamedTuple):
    """An ANN, its spiking form at the wanted rate, and samples [N, *F] of its input ``image``."""

    ann: onnx.ModelProto
    model: SpikingModel
    samples: np.ndarray


class _Builder:
    """A graph under construction; every method adds nodes and returns the tensor they make."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        """Add a node named after its operator and its place."""
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        """Add a constant."""
        name = f"constant{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def affine(self, outputs: int, *fan_in: int) -> list[str]:
        """Add He-normal weights [outputs, *fan_in] and small biases."""
        deviation = np.sqrt(2 / np.prod(fan_in))
        weights = self.constant(self.rng.normal(0, deviation, (outputs, *fan_in)))
        return [weights, self.constant(self.rng.normal(0, 0.1, outputs))]

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> str:
        """Add a padded square convolution."""
        given = [x, *self.affine(outputs, inputs, kernel, kernel)]
        pads, square = [kernel // 2] * 4, [kernel] * 2
        return self.node("Conv", given, kernel_shape=square, pads=pads, strides=[stride] * 2)

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        """Add a fully connected layer."""
        return self.node("Gemm", [x, *self.affine(outputs, inputs)], transB=1)

    def relu(self, x: str) -> str:
        """Add a ReLU."""
        return self.node("Relu", [x])

    def model(self, shape: tuple[int, ...], output: str) -> onnx.ModelProto:
        """Return the graph from ``image`` to ``output``."""
        image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["N", *shape])
        logits = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["N", 10])
        graph = helper.make_graph(self.nodes, "firing_net", [image], [logits], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def mlp(net: _Builder) -> onnx.ModelProto:
    """MLP 784-1200-1200-10."""
    x = net.relu(net.dense("image", 784, 1200))
    x = net.relu(net.dense(x, 1200, 1200))
    return net.model((784,), net.dense(x, 1200, 10))


def resnet20(net: _Builder) -> onnx.ModelProto:
    """ResNet-20 for 32 x 32 images; shortcuts by 1 x 1 convolutions where the shape changes."""
    x, inputs = net.relu(net.conv("image", 3, 16)), 16
    for outputs in (16, 32, 64):
        for block in range(3):
            stride = 2 if outputs != 16 and block == 0 else 1
            inner = net.relu(net.conv(x, inputs, outputs, stride=stride))
            inner = net.conv(inner, outputs, outputs)
            kept = x if inputs == outputs else net.conv(x, inputs, outputs, kernel=1, stride=stride)
            x, inputs = net.relu(net.node("Add", [inner, kept])), outputs
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x])])
    return net.model((3, 32, 32), net.dense(x, 64, 10))


def vgg16(net: _Builder) -> onnx.ModelProto:
    """VGG-16 for 32 x 32 images; average pools, one fully connected layer."""
    x, inputs = "image", 3
    for outputs, layers in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(layers):
            x, inputs = net.relu(net.conv(x, inputs, outputs)), outputs
        x = net.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    return net.model((3, 32, 32), net.dense(net.node("Flatten", [x]), 512, 10))


NETS: dict[str, Callable[[_Builder], onnx.ModelProto]] = {
    "mlp": mlp,
    "resnet20": resnet20,
    "vgg16": vgg16,
}


def firing_net(name: str, rate: float = 0.1, timesteps: int = 32, seed: int = 0) -> FiringNet:
    """Make a net whose every layer fires at the wanted mean rate.

    Args:
        name: one of ``NETS``.
        rate: spikes per neuron and timestep, mean over the neurons of a layer, above 0, below 1.
        timesteps: T the rate is measured over, and the default T of the file.
        seed: of weights and samples.
    """
    ann = NETS[name](_Builder(seed))
    shape = [d.dim_value for d in ann.graph.input[0].type.tensor_type.shape.dim][1:]
    samples = np.random.default_rng(seed).uniform(0, 1, (SAMPLES, *shape)).astype(np.float32)
    model, _ = convert(
        ann,
        calibration=samples[:8],
        preset="rate",
        timesteps=timesteps,
        input_coding="direct",
        threshold_rule="maximum",
        bias_correction=False,
    )
    return FiringNet(ann, with_rate(model, samples[:MEASURED_SAMPLES], rate, timesteps), samples)


def with_rate(model: SpikingModel, x: np.ndarray, rate: float, timesteps: int) -> SpikingModel:
    """Return the model with one threshold for each layer, so that it fires at ``rate`` on x."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    for place, layer in enumerate(model.neurons):
        now = SpikingModel(proto).neurons[place]
        stream = _currents(SpikingModel(proto), now, x, timesteps)
        threshold = _threshold(layer, stream, rate)
        node = next(node for node in proto.graph.node if node.name == layer.name)
        named = dict(zip(layer.op.inputs, node.input, strict=True))
        for tensor in proto.graph.initializer:
            if tensor.name == named["quantum"]:
                value = np.full(tuple(tensor.dims), threshold, np.float32)
                tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    return SpikingModel(proto)


def _currents(model: SpikingModel, layer: NeuronLayer, x: np.ndarray, timesteps: int) -> np.ndarray:
    """Return the input of a layer and what its constant current adds, [T, neurons]."""
    nodes = upstream(model.plain.graph.node, [layer.input])
    functions = model.proto.functions
    graph = model.plain.graph
    cut = assemble(model.plain, nodes, graph.input, [float_tensor(layer.input)], functions)
    feeds = {model.inputs[0]: x, model.timesteps_input: np.array(timesteps, np.int64)}
    stream = Session(cut, threads=1, library=custom_ops_path()).run(feeds)[layer.input]
    stream = stream.reshape(timesteps, len(x), *stream.shape[1:]) + layer.current
    return np.asarray(stream, np.float32).reshape(timesteps, -1)


def _threshold(layer: NeuronLayer, stream: np.ndarray, rate: float) -> float:
    """Bisect the threshold at which neurons that receive ``stream`` [T, neurons] fire at rate."""
    neurons = np.random.default_rng(0).permutation(stream.shape[1])[:MEASURED_NEURONS]
    stream = np.ascontiguousarray(stream[:, neurons])
    steps = np.array(len(stream), np.int64)
    low, high = 1e-6, float(np.abs(stream).max()) * len(stream) + 1e-6
    for _ in range(BISECTIONS):
        middle = float(np.sqrt(low * high))
        parameters = {
            "quantum": np.full((1, 1), middle, np.float32),
            "current": np.zeros((1, 1), np.float32),
            "n_min": np.array(layer.n_min, np.float32),
            "n_max": np.array(layer.n_max, np.float32),
            "timesteps": steps,
            "stimulus": steps,
        }
        fired = np.count_nonzero(layer.op.sequence(stream, parameters)) / stream.size
        low, high = (middle, high) if fired > rate else (low, middle)
    return high


def main() -> None:
    """Write the nets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--net", nargs="+", choices=sorted(NETS), default=sorted(NETS))
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("-T", "--timesteps", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    for name in told.net:
        made = firing_net(name, told.rate, told.timesteps, told.seed)
        onnx.save(made.ann, told.folder / f"{name}.onnx")
        made.model.save(told.folder / f"{name}.snn.onnx")
        np.savez(told.folder / f"{name}.npz", image=made.samples)
        print(f"{name}: {len(made.model.neurons)} layers of neurons")


if __name__ == "__main__":
    main()

"""Time to convert networks of growing depth, and of ResNet-50's graph, with random weights.

    python benchmarks/conversion_time.py [--preset graded] [--samples 8]

Prints seconds per network and per layer: a conversion whose cost is linear in the size of the
network has a constant last column. Random weights say nothing about accuracy; none is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.converter import convert

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Width and number of bottleneck blocks of ResNet-50's stages (He et al. 2016, table 1)."""


class Builder:
    """Collects the nodes and random weights of one network."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, values: NDArray[np.float64]) -> str:
        """Store an initializer and return its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        """Add a node and return its output."""
        output = f"t{len(self.nodes)}"
        made = helper.make_node(op, inputs, [output], f"{op.lower()}_{len(self.nodes)}")
        made.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(made)
        return output

    def conv_bn(self, x: str, shape: tuple[int, int, int], stride: int = 1) -> str:
        """Add a convolution (out, in, kernel) with He-initialised weights and its BN."""
        out, into, kernel = shape
        scale = np.sqrt(2 / (into * kernel**2))
        weight = self.constant(self._rng.normal(0, scale, (out, into, kernel, kernel)))
        pad = [kernel // 2] * 4
        y = self.node("Conv", [x, weight], strides=[stride] * 2, pads=pad)
        one, zero = self.constant(np.ones(out)), self.constant(np.zeros(out))
        return self.node("BatchNormalization", [y, one, zero, zero, one])

    def model(self, output: str, shape: list[int], result: list[int]) -> onnx.ModelProto:
        """Return the finished model."""
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *shape])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", *result])],
            self.weights,
        )
        opset = helper.make_opsetid("", 17)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def chain(layers: int, width: int = 8, size: int = 16) -> onnx.ModelProto:
    """Return a chain of Conv, BN, Relu blocks."""
    net = Builder()
    x = net.node("Relu", [net.conv_bn("image", (width, 3, 3))])
    for _ in range(layers - 1):
        x = net.node("Relu", [net.conv_bn(x, (width, width, 3))])
    return net.model(net.node("GlobalAveragePool", [x]), [3, size, size], [width, 1, 1])


def resnet50(size: int = 224) -> onnx.ModelProto:
    """Return ResNet-50 with random weights and BN kept apart."""
    net = Builder()
    x = net.node("Relu", [net.conv_bn("image", (64, 3, 7), 2)])
    x = net.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    into = 64
    for stage, (width, blocks) in enumerate(STAGES):
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            y = net.node("Relu", [net.conv_bn(x, (width, into, 1))])
            y = net.node("Relu", [net.conv_bn(y, (width, width, 3), stride)])
            y = net.conv_bn(y, (4 * width, width, 1))
            short = net.conv_bn(x, (4 * width, into, 1), stride) if block == 0 else x
            x = net.node("Relu", [net.node("Add", [y, short])])
            into = 4 * width
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x])])
    weight = net.constant(np.random.default_rng(1).normal(0, 0.02, (into, 1000)))
    return net.model(net.node("MatMul", [x, weight]), [3, size, size], [1000])


def networks() -> Iterator[tuple[str, onnx.ModelProto, tuple[int, ...]]]:
    """Yield name, model and input shape of every network to convert."""
    for layers in (25, 50, 100, 200):
        yield f"chain of {layers}", chain(layers), (3, 16, 16)
    yield "ResNet-50", resnet50(), (3, 224, 224)


def main() -> None:
    """Convert every network once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--preset", default="graded")
    parser.add_argument("--samples", type=int, default=8)
    arguments = parser.parse_args()
    print(f"{'network':14} {'layers':>6} {'seconds':>8} {'ms per layer':>12}")
    for name, model, shape in networks():
        images = np.random.default_rng(0).integers(0, 256, (arguments.samples, *shape)) / 255
        start = time.perf_counter()
        _, report = convert(model, calibration=images.astype(np.float32), preset=arguments.preset)
        seconds = time.perf_counter() - start
        layers = report.neuron_layers
        print(f"{name:14} {layers:6} {seconds:8.2f} {1000 * seconds / layers:12.1f}", flush=True)


if __name__ == "__main__":
    main()

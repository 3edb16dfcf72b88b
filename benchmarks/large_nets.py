"""Large nets of random weights: MobileNetV2 and VGG-16 for 224 x 224 images, VGG-16 for 32 x 32."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

_MOBILENET_V2 = (
    # expansion, channels, blocks, stride: Sandler et al., CVPR 2018, table 2
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_VGG_16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # Simonyan, Zisserman, ICLR 2015, D


class Large(NamedTuple):
    """A maker of a net and the side of its images."""

    make: Callable[[_Graph], str]
    size: int


class _Graph:
    """A graph under construction."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        name = f"constant{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def conv(
        self, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1, group: int = 1
    ) -> str:
        fan_in = inputs // group * kernel**2
        shape = (outputs, inputs // group, kernel, kernel)
        weights = self.constant(self.rng.normal(0, np.sqrt(2 / fan_in), shape))
        bias = self.constant(self.rng.normal(0, 0.1, outputs))
        return self.node(
            "Conv",
            [x, weights, bias],
            kernel_shape=[kernel] * 2,
            pads=[kernel // 2] * 4,
            strides=[stride] * 2,
            group=group,
        )

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        weights = self.constant(self.rng.normal(0, np.sqrt(2 / inputs), (outputs, inputs)))
        return self.node("Gemm", [x, weights, self.constant(np.zeros(outputs))], transB=1)

    def relu6(self, x: str) -> str:
        return self.node("Clip", [x, self.constant(np.array(0)), self.constant(np.array(6))])


def mobilenetv2(net: _Graph) -> str:
    """Inverted residual blocks; ReLU6."""
    x, inputs = net.relu6(net.conv("image", 3, 32, 3, 2)), 32
    for expansion, outputs, blocks, first_stride in _MOBILENET_V2:
        for block in range(blocks):
            stride, hidden = first_stride if block == 0 else 1, inputs * expansion
            inner = x if expansion == 1 else net.relu6(net.conv(x, inputs, hidden, 1))
            inner = net.relu6(net.conv(inner, hidden, hidden, 3, stride, group=hidden))
            inner = net.conv(inner, hidden, outputs, 1)
            x = net.node("Add", [x, inner]) if stride == 1 and inputs == outputs else inner
            inputs = outputs
    x = net.relu6(net.conv(x, inputs, 1280, 1))
    return net.dense(net.node("Flatten", [net.node("GlobalAveragePool", [x])]), 1280, 1000)


def _vgg(net: _Graph, features: int, hidden: int, classes: int) -> str:
    x, inputs = "image", 3
    for outputs, layers in _VGG_16:
        for _ in range(layers):
            x, inputs = net.node("Relu", [net.conv(x, inputs, outputs, 3)]), outputs
        x = net.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x, inputs = net.node("Flatten", [x]), features
    for _ in range(2):
        x, inputs = net.node("Relu", [net.dense(x, inputs, hidden)]), hidden
    return net.dense(x, inputs, classes)


NETS: dict[str, Large] = {
    "mobilenetv2": Large(mobilenetv2, 224),
    "vgg16": Large(lambda net: _vgg(net, 512 * 7 * 7, 4096, 1000), 224),
    "vgg16_cifar": Large(lambda net: _vgg(net, 512, 512, 10), 32),
}


def make(name: str) -> onnx.ModelProto:
    """Make a net from ``image`` [N, 3, H, W] to ``logits``."""
    build, size = NETS[name]
    net = _Graph()
    output = build(net)
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["N", 3, size, size])
    logits = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["N", None])
    graph = helper.make_graph(net.nodes, name, [image], [logits], net.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

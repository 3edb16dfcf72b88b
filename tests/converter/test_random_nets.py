"""Random small conv nets, with the noise that exporters add, canonicalise to the same function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model

CHANNELS, SIZE = 4, 6
ACTIVATIONS = ("Relu", "Clip", "LeakyRelu")


class Writer:
    """Writes layers that all map [N, 4, 6, 6] to [N, 4, 6, 6]."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.earlier = ["x"]

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weight(self, *shape: int, low: float = -0.5, high: float = 0.7) -> str:
        return self.constant(self.rng.uniform(low, high, shape))

    def node(self, op: str, *inputs: str, **attributes: object) -> str:
        output = f"t{len(self.nodes)}"
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def model(self, result: str) -> onnx.ModelProto:
        shape = ["N", CHANNELS, SIZE, SIZE]
        y = self.node("Identity", result)
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("x", 1, shape)],
            [helper.make_tensor_value_info(y, 1, shape)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _conv(w: Writer, x: str) -> str:
    return w.node("Conv", x, w.weight(CHANNELS, CHANNELS, 3, 3), pads=[1, 1, 1, 1])


def _grouped(w: Writer, x: str) -> str:
    return w.node(
        "Conv", x, w.weight(CHANNELS, 2, 1, 1), w.weight(CHANNELS), group=2, auto_pad="VALID"
    )


def _depthwise(w: Writer, x: str) -> str:
    padded = w.node("Pad", x, w.constant([0, 0, 1, 0, 0, 0, 1, 2], np.int64))
    return w.node("Conv", padded, w.weight(CHANNELS, 1, 3, 3), group=CHANNELS)


def _up(w: Writer, x: str) -> str:
    return w.node("ConvTranspose", x, w.weight(CHANNELS, CHANNELS, 3, 3), pads=[1, 1, 1, 1])


def _batch_norm(w: Writer, x: str) -> str:
    statistics = [w.weight(CHANNELS) for _ in range(3)]
    return w.node("BatchNormalization", x, *statistics, w.weight(CHANNELS, low=0.5, high=2.0))


def _scale(w: Writer, x: str) -> str:
    return w.node("Mul", w.weight(CHANNELS, 1, 1), x)


def _shift(w: Writer, x: str) -> str:
    return w.node("Sub", w.weight(1, CHANNELS, 1, 1), x)


def _divide(w: Writer, x: str) -> str:
    return w.node("Div", x, w.weight(low=0.5, high=2.0))


def _relu(w: Writer, x: str) -> str:
    return w.node("Relu", x)


def _clip(w: Writer, x: str) -> str:
    return w.node("Min", w.node("Relu", x), w.constant(6.0))


def _leaky(w: Writer, x: str) -> str:
    return w.node("Max", w.node("Mul", x, w.constant(0.1)), x)


def _pool(w: Writer, x: str) -> str:
    return w.node("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)


def _max_pool(w: Writer, x: str) -> str:
    return w.node("MaxPool", x, kernel_shape=[3, 3], auto_pad="SAME_UPPER")


def _nhwc(w: Writer, x: str) -> str:
    inside = w.node("Add", w.node("Transpose", x, perm=[0, 2, 3, 1]), w.weight(CHANNELS))
    return w.node("Transpose", w.node("Relu", inside), perm=[0, 3, 1, 2])


def _residual(w: Writer, x: str) -> str:
    return w.node("Add", x, w.earlier[int(w.rng.integers(len(w.earlier)))])


def _halves(w: Writer, x: str) -> str:
    zero, axis = w.constant([0], np.int64), w.constant([1], np.int64)
    two, four = w.constant([2], np.int64), w.constant([4], np.int64)
    first, second = w.node("Slice", x, zero, two, axis), w.node("Slice", x, two, four, axis)
    return w.node("Concat", second, first, axis=1)


def _reshape(w: Writer, x: str) -> str:
    batch = w.node("Shape", x, end=1)
    target = w.node("Concat", batch, w.constant([CHANNELS, SIZE * SIZE], np.int64), axis=0)
    flat = w.node("Reshape", x, target)
    return w.node("Reshape", flat, w.constant([-1, CHANNELS, SIZE, SIZE], np.int64))


Layer = Callable[[Writer, str], str]
LAYERS: tuple[Layer, ...] = (
    *(_conv, _grouped, _depthwise, _up, _batch_norm, _scale, _shift, _divide, _relu, _clip),
    *(_leaky, _pool, _max_pool, _nhwc, _residual, _halves, _reshape),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(layers=st.lists(st.sampled_from(LAYERS), min_size=1, max_size=9), seed=st.integers(0, 99))
def test_random_nets(layers: list[Layer], seed: int) -> None:
    writer = Writer(seed)
    x = "x"
    for layer in layers:
        x = layer(writer, x)
        writer.earlier.append(x)
    model = writer.model(x)
    canonical = canonicalise(read_model(model))  # proves itself after each pass

    feeds = {"x": writer.rng.normal(size=(3, CHANNELS, SIZE, SIZE)).astype(np.float32)}
    name = model.graph.output[0].name
    expected = np.asarray(Execution(model).run(feeds)[name])
    found = np.asarray(Execution(canonical.model).run(feeds)[name])
    # Up to nine layers of folded float32 factors, each rounding once more.
    assert np.abs(found - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max()))

    names = {node.name for node in canonical.model.graph.node}
    ends = {node.name for node in model.graph.node if node.op_type == "Relu"}
    merged = {change.node for change in canonical.changes}
    assert ends <= names | merged
    assert canonical.batch_free
    assert canonicalise(read_model(canonical.model)).changes == ()

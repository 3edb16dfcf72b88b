"""Cross-layer equalisation changes nothing: thresholds per channel already absorb the scales.

    Relu(W x + b),  V            →   Relu(S W x + S b),  V / S         S > 0, one number per channel

is the same function (Nagel et al., ICCV 2019). The threshold of channel c follows its range, so it
is multiplied by S_c, too, and every neuron fires as before. With powers of two all of it is exact.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from conversions import run
from onnx import helper, numpy_helper

from onnx2snn.converter.convert import convert
from onnx2snn.converter.unit_spikes.normalise import normalise_to_unit_spikes
from onnx2snn.ir.model import SpikingModel

PRESETS = {"graded": 16, "fast": 8, "ternary": 48, "rate": 32}
CHANNELS = 6
SCALES = 2.0 ** np.array([-9, -4, 0, 2, 6, 11])


def bottleneck(first: np.ndarray, second: np.ndarray) -> onnx.ModelProto:
    """Expand, depthwise, linear projection with a skip, expand: scaled behind the first two."""
    rng = np.random.default_rng(0)
    shape = (-1, 1, 1, 1)
    expand, bias = rng.normal(0.1, 0.5, (CHANNELS, 3, 1, 1)), rng.normal(0.2, 0.1, CHANNELS)
    depthwise, shift = rng.normal(0.1, 0.4, (CHANNELS, 1, 3, 3)), rng.normal(0.2, 0.1, CHANNELS)
    project = rng.normal(0, 0.4, (3, CHANNELS, 1, 1))
    stored = {
        "expand": expand * first.reshape(shape),
        "bias": bias * first,
        "depthwise": depthwise / first.reshape(shape) * second.reshape(shape),
        "shift": shift * second,
        "project": project / second.reshape(1, -1, 1, 1),
        "head": rng.normal(0, 0.3, (4, 3, 1, 1)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "expand", "bias"], ["a"], "conv1"),
        helper.make_node("Relu", ["a"], ["b"], "relu1"),
        helper.make_node(
            "Conv", ["b", "depthwise", "shift"], ["c"], "conv2", group=CHANNELS, pads=[1] * 4
        ),
        helper.make_node("Relu", ["c"], ["d"], "relu2"),
        helper.make_node("Conv", ["d", "project"], ["e"], "conv3"),
        helper.make_node("Add", ["e", "x"], ["f"], "add"),
        helper.make_node("Conv", ["f", "head"], ["y"], "conv4"),
    ]
    graph = helper.make_graph(
        nodes,
        "bottleneck",
        [helper.make_tensor_value_info("x", 1, ["N", 3, 6, 6])],
        [helper.make_tensor_value_info("y", 1, ["N", 4, 6, 6])],
        [numpy_helper.from_array(v.astype(np.float32), n) for n, v in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def unit_weights(model: SpikingModel) -> dict[str, np.ndarray]:
    """W theta_in / theta_out of every convolution, as exports write it."""
    unit = normalise_to_unit_spikes(model)
    convolutions = [node for node in unit.plain.graph.node if node.op_type == "Conv"]
    return {node.name: unit.initializers[node.input[1]] for node in convolutions}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_neuron_fires_as_before(preset: str) -> None:
    ones = np.ones(CHANNELS)
    levels = np.random.default_rng(1).integers(0, 256, (16, 3, 6, 6))
    feeds = {"x": (levels / 255).astype(np.float32)}
    models = [
        convert(bottleneck(*scales), calibration=feeds, preset=preset)[0]
        for scales in ((ones, ones), (SCALES, SCALES[::-1]))
    ]
    plain, scaled = models
    assert [layer.name for layer in plain.neurons] == [layer.name for layer in scaled.neurons]
    for name, wanted in (("relu1", SCALES), ("relu2", SCALES[::-1])):
        before, after = (
            next(layer for layer in model.neurons if layer.name == name).quantum.reshape(-1)
            for model in models
        )
        np.testing.assert_array_equal(after, before * wanted)
    for timesteps in (1, 3, PRESETS[preset]):
        before, after = (run(model, feeds, timesteps)["y"] for model in models)
        np.testing.assert_array_equal(after, before)
    before, after = (unit_weights(model) for model in models)
    assert before.keys() == after.keys() == {"conv1", "conv2", "conv3", "conv4"}
    for name, weights in before.items():
        np.testing.assert_array_equal(after[name], weights)

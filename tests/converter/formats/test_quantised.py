"""int8 models: their grids are kept exactly, and what is not a grid is refused by name."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
from tests.converter.formats.quantised import STATIC, quantised
from tests.nets import NETS, build

from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.convert import convert
from onnx2snn.converter.judging.agreement import agree
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.session import Session

GRIDS = {"ClipFloor", "LeakyClipFloor"}
INTEGER = {"QuantizeLinear", "DequantizeLinear", "Round", "QLinearConv", "ConvInteger", "Cast"}


def ops_of(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", STATIC)
@pytest.mark.parametrize("net", NETS)
def test_static_grids_are_kept_exactly(net: str, how: str) -> None:
    source = read_model(quantised(net, how))
    canonical = canonicalise(source)
    assert canonical.batch_free
    assert [finding.code for finding in canonical.findings] == ["integer-grid-kept"]
    ops = set(ops_of(canonical.model))
    assert ops & GRIDS
    assert not ops & INTEGER
    before, after = Execution(source.model), Execution(canonical.model)
    for seed in (5, 6):
        feeds = before.feeds(1, seed)
        # A tie of the rounding may fall to the other side: 2 % of the spread in the mean.
        assert agree(after.run(feeds), before.run(feeds), stepped=True) is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("net", NETS)
def test_dynamic_quantisation_leaves_the_float_net(net: str) -> None:
    source = read_model(quantised(net, "dynamic"))
    canonical = canonicalise(source)
    plain = canonicalise(read_model(build(NETS[net])))
    assert sorted(ops_of(canonical.model)) == sorted(ops_of(plain.model))
    assert canonical.batch_free  # one range for a whole batch no longer ties its samples
    finding = canonical.findings[0]
    assert (finding.code, finding.severity) == ("dynamic-rounding-dropped", "info")
    assert "% of their spread" in finding.message
    before, after = Execution(source.model), Execution(canonical.model)
    feeds = before.feeds(1, 5)
    for name, wanted in before.run(feeds).items():
        # Weights and activations have 8 bits each; a few layers add up to some percent.
        error = np.abs(after.run(feeds)[name] - wanted).max()
        assert error < 0.1 * np.abs(wanted).max()


TFLITE = """
net (uint8[N,6] x) => (uint8[N,3] y)
    <float xs = {0.02}, uint8 xz = {128}, float[6,3] w, float ys = {0.1}, uint8 yz = {7}>
{
    [read] a = DequantizeLinear (x, xs, xz)
    [fc] h = MatMul (a, w)
    [relu] r = Relu (h)
    [write] y = QuantizeLinear (r, ys, yz)
}
"""


def test_integer_inputs_and_outputs_stay_as_they_are() -> None:
    canonical = canonicalise(read_model(build(TFLITE)))
    assert ops_of(canonical.model) == ["Cast", "Sub", "MatMul", "Relu", "QuantizeLinear"]
    before, after = Execution(build(TFLITE)), Execution(canonical.model)
    feeds = {"x": np.arange(48, dtype=np.uint8).reshape(8, 6) * 5}
    np.testing.assert_array_equal(after.run(feeds)["y"], before.run(feeds)["y"])


SINKS = """
net (float[N,2,4,4] x) => (float[N,8] y)
    <float s = {0.1}, uint8 z = {0}, int64[2] shape = {0, -1}>
{
    [relu] r = Relu (x)
    [quantise] q = QuantizeLinear (r, s, z)
    [pool] p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (q)
    [flat] f = Reshape (p, shape)
    [read] y = DequantizeLinear (f, s, z)
}
"""


def test_quantisers_sink_below_what_picks_entries() -> None:
    canonical = canonicalise(read_model(build(SINKS)))
    assert ops_of(canonical.model) == ["Relu", "MaxPool", "Reshape", "ClipFloor"]


TWICE = """
net (float[N,4] x) => (float[N,4] y) <float s = {0.1}, uint8 z = {0}>
{
    [relu] r = Relu (x)
    [q1] a = QuantizeLinear (r, s, z)
    [d1] b = DequantizeLinear (a, s, z)
    [q2] c = QuantizeLinear (b, s, z)
    [d2] y = DequantizeLinear (c, s, z)
}
"""


def test_a_value_on_its_grid_is_not_rounded_again() -> None:
    canonical = canonicalise(read_model(build(TWICE)))
    assert ops_of(canonical.model) == ["ClipFloor"]
    assert canonical.model.graph.node[0].name == "relu"


def test_another_grid_behind_the_first_stays() -> None:
    text = TWICE.replace("uint8 z = {0}>", "uint8 z = {0}, float t = {0.25}>").replace(
        "(b, s, z)", "(b, t, z)"
    )
    text = text.replace("(c, s, z)", "(c, t, z)")
    assert ops_of(canonicalise(read_model(build(text))).model) == ["ClipFloor", "ClipFloor"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "net (float[N,4] x, float s) => (float[N,4] y) <uint8 z = {0}>"
            " { q = QuantizeLinear (x, s, z) [read] y = DequantizeLinear (q, s, z) }",
            "computed",
        ),
        (
            "net (float[N,2,3] x) => (float[N,2,3] y) <float[2] s = {0.1, 0.2}>"
            " { q = QuantizeLinear <axis = 1, output_dtype = 2> (x, s)"
            " [read] y = DequantizeLinear <axis = 1> (q, s) }",
            "channels",
        ),
        (
            "net (float[N,4] x) => (float[N,4] y) <float s = {0.1}>"
            " { q = QuantizeLinear <output_dtype = 17> (x, s)"
            " [read] y = DequantizeLinear (q, s) }",
            "float8",
        ),
    ],
)
def test_what_is_no_grid_of_a_neuron_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UnsupportedOpError, match=reason) as caught:
        canonicalise(read_model(build(text)))
    assert [(f.node, f.op) for f in caught.value.findings] == [("read", "DequantizeLinear")]
    assert "float model" in caught.value.findings[0].remedy


def test_integers_of_dynamic_quantisation_that_leave_are_refused() -> None:
    text = """
    net (float[N,4] x) => (uint8[N,4] q, float[N,4] y)
    { [dyn] q, s, z = DynamicQuantizeLinear (x) [read] y = DequantizeLinear (q, s, z) }
    """
    with pytest.raises(UnsupportedOpError, match="float model") as caught:
        canonicalise(read_model(build(text)))
    assert [finding.node for finding in caught.value.findings] == ["dyn"]


@pytest.mark.parametrize("zero", [0, 100])
@pytest.mark.parametrize("preset", ["graded", "fast"])
def test_the_input_encoder_takes_over_the_int8_grid(preset: str, zero: int) -> None:
    """A grid of its own would round twice: values near a middle would end a whole step away."""
    step = 0.05
    net = f"""<ir_version: 10, opset_import: ["" : 21]>
    net (float[N,64] x) => (float[N,64] y)
        <float s = {{{step}}}, uint8 z = {{{zero}}}, float[64] shift, float[64] back>
    {{ q = QuantizeLinear (x, s, z)  d = DequantizeLinear (q, s, z)  a = Add (d, shift)
       r = Relu (a)  y = Sub (r, back) }}"""
    model = onnx.parser.parse_model(net)
    moved = np.full(64, zero * step, np.float32)
    for name in ("shift", "back"):
        model.graph.initializer.append(onnx.numpy_helper.from_array(moved, name))
    rng = np.random.default_rng(0)
    middles = (
        rng.integers(2 - zero, 250 - zero, (40, 64)) + 0.5 + rng.choice([-0.01, 0.01], (40, 64))
    )
    feeds = {"x": (middles * step).astype(np.float32)}
    spiking, _ = convert(model, calibration=feeds, preset=preset)
    encoder = spiking.neurons[0]
    np.testing.assert_allclose(encoder.quantum, step, rtol=1e-6)  # one float32 division
    assert "input-quantised" not in {finding.code for finding in spiking.manifest.findings}
    settled = Session(settle(spiking), optimised=False).run(feeds)["y"]
    expected = Session(model, optimised=False).run(feeds)["y"]
    assert np.abs(settled - expected).max() < step / 3  # the ReLU's own grid, and no int8 step

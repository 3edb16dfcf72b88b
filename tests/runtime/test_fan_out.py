"""Synaptic operations by real fan-out: against brute force, and by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser
from spiking_nets import HEADER, manifest, sealed

from onnx2snn.ir.model import STIMULUS, SpikingModel
from onnx2snn.ir.ops import DOMAIN
from onnx2snn.ir.session import Session
from onnx2snn.runtime.evaluation.fan_out import FanOut
from onnx2snn.runtime.evaluation.macs import macs_per_sample

S = STIMULUS.replace("/", "_")
RNG = np.random.default_rng(0)
CHANNELS, SIDE = 4, 6

# One linear operator from p to y (rank 4, or flattened before), its weights, its output rank.
OPERATORS: dict[str, tuple[str, dict[str, np.ndarray]]] = {
    "conv with borders": ("y = Conv <pads = [1, 1, 1, 1]> (p, w)", {"w": (3, 4, 3, 3)}),
    "conv, groups and strides": (
        "y = Conv <pads = [1, 0, 1, 2], strides = [2, 1], group = 2> (p, w)",
        {"w": (6, 2, 3, 2)},
    ),
    "transposed conv": ("y = ConvTranspose <strides = [2, 2]> (p, w)", {"w": (4, 3, 3, 3)}),
    "gemm": ("f = Flatten (p)  y = Gemm <transB = 1, alpha = 0.5> (f, w)", {"w": (5, 144)}),
    "matmul": ("f = Flatten (p)  y = MatMul (f, w)", {"w": (144, 5)}),
    "average pool": (
        "y = AveragePool <kernel_shape = [3, 2], strides = [2, 2], pads = [1, 0, 1, 1]> (p)",
        {},
    ),
    "average pool, pads counted, ceil": (
        "y = AveragePool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1],"
        " count_include_pad = 1, ceil_mode = 1> (p)",
        {},
    ),
    "global average pool": ("y = GlobalAveragePool (p)", {}),
    "mean": ("axes = Constant <value_ints = [2, 3]> ()  y = ReduceMean (p, axes)", {}),
    "residual": ("z = Conv <pads = [1, 1, 1, 1]> (p, w)  y = Add (z, p)", {"w": (4, 4, 3, 3)}),
    "difference": ("n = Neg (p)  y = Sub (p, n)", {}),
    "scaling": ("m = Mul (p, w)  y = Div (m, w)", {"w": (1, 4, 1, 1)}),
    "slice": ("from = Constant <value_ints = [1]> ()  to = Constant <value_ints = [5]> ()"
              " axis = Constant <value_ints = [2]> ()  y = Slice (p, from, to, axis)", {}),
}  # fmt: skip


def weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Weights of both signs, a third of them pruned."""
    made = {}
    for name, shape in shapes.items():
        values = RNG.normal(size=shape).astype(np.float32)
        made[name] = np.where(RNG.random(shape) < 1 / 3, 0, values).astype(np.float32)
    return made


def net(text: str, constants: dict[str, np.ndarray]) -> SpikingModel:
    """Encoder, the operator, read-out."""
    graph = f"""
    net (float[N, {CHANNELS}, {SIDE}, {SIDE}] image, int64 timesteps) => (float out) {{
      shown = {DOMAIN}.DirectCurrent (image, timesteps, {S})
      [encoder] p = {DOMAIN}.IntegrateFire (shown, q, c, low, high, timesteps, {S})
      {text}
      [reader] out = {DOMAIN}.ReadOut (y, c0, timesteps, {S})
    }}"""
    one = {"q": np.ones((1, 1, 1, 1)), "c": np.zeros((1, 1, 1, 1)), "c0": np.zeros(1)}
    bounds = {"low": np.array(0.0), "high": np.array(9.0)}
    floats = {name: value.astype(np.float32) for name, value in {**one, **bounds}.items()}
    return sealed(graph, {**floats, **constants})


def paths(text: str, constants: dict[str, np.ndarray], events: np.ndarray) -> float:
    """Brute force: each event alone, through each operator alone, non-zero results counted."""
    total = 0.0
    for place in np.argwhere(events):
        single = np.zeros_like(events)
        single[tuple(place)] = 1
        total += events[tuple(place)] * _reached(text, constants, single)
    return total


def _reached(text: str, constants: dict[str, np.ndarray], single: np.ndarray) -> int:
    graph = f"net (float[N, 4, 6, 6] p) => (float y) {{ {text} }}"
    model = parser.parse_model(HEADER + graph)
    model.graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in constants.items())
    reached = Session(model, optimised=False).run({"p": single})["y"]
    return int(np.count_nonzero(reached))


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_against_brute_force(name: str) -> None:
    text, shapes = OPERATORS[name]
    constants = weights(shapes)
    if name == "scaling":
        constants = {"w": np.full((1, 4, 1, 1), 0.5, np.float32)}
    events = RNG.integers(0, 3, (1, CHANNELS, SIDE, SIDE)).astype(np.float32)
    expected = paths(text, constants, events)
    if name == "residual":  # the identity adds its own event where the weight meets it
        conv = "y = Conv <pads = [1, 1, 1, 1]> (p, w)"
        expected = paths(conv, constants, events) + events.sum()
    if name == "difference":
        expected = 2 * events.sum()
    fan_out = FanOut(net(text, constants))
    arrived = fan_out.synaptic_operations({"p": events}, {"shown": events.shape})
    assert arrived == {"p": 0.0, "out": expected}


def test_borders_by_hand() -> None:
    """A 3x3 kernel: an event in a corner meets 4 synapses, at an edge 6, inside 9."""
    fan_out = FanOut(net("y = Conv <pads = [1, 1, 1, 1]> (p, w)", {"w": np.ones((1, 4, 3, 3))
                         .astype(np.float32)}))  # fmt: skip
    for place, expected in (((0, 0), 4), ((0, 2), 6), ((3, 3), 9)):
        events = np.zeros((1, CHANNELS, SIDE, SIDE), np.float32)
        events[0, 1, place[0], place[1]] = 1
        arrived = fan_out.synaptic_operations({"p": events}, {"shown": events.shape})
        assert arrived["out"] == expected


def pool_net(op: str, others: str) -> SpikingModel:
    pool = (
        f"[pool] y1 = {DOMAIN}.{op} <kernel_shape = [3, 3], strides = [1, 1], "
        f"pads = [1, 1, 1, 1]> (p, {others})  y = MatMul (y1, w)"
    )
    return net(pool, {"w": np.ones((6, 2), np.float32)})


@pytest.mark.parametrize(
    ("op", "others", "at_pool"),
    [
        ("IncrementMaxPool", "q, timesteps", 4 + 9),
        ("GatedMaxPool", "timesteps", 4 + 9),
        ("MembraneMaxPool", f"c, timesteps, {S}", 2),
    ],
)
def test_max_pools_are_charged_per_window(op: str, others: str, at_pool: int) -> None:
    """An event in the corner lies in 4 windows, one inside in 9; pooled events go on from there."""
    events = np.zeros((1, CHANNELS, SIDE, SIDE), np.float32)
    events[0, 0, 0, 0] = events[0, 0, 3, 3] = 1
    pooled = np.zeros_like(events)
    pooled[0, 0, 0, 0] = 3
    arrived = FanOut(pool_net(op, others)).synaptic_operations(
        {"p": events, "y1": pooled}, {"shown": events.shape}
    )
    assert arrived == {"p": 0.0, "y1": at_pool, "out": 3 * 2}


def analog_net() -> SpikingModel:
    text = f"""
    net (float[N, 4, 6, 6] image, int64 timesteps) => (float[N, 3, 6, 6] out) {{
      shown = {DOMAIN}.DirectCurrent (image, timesteps, {S})
      z = Conv <pads = [1, 1, 1, 1]> (shown, w)
      [relu] s = {DOMAIN}.IntegrateFire (z, q, c, low, high, timesteps, {S})
      out = {DOMAIN}.ReadOut (s, c, timesteps, {S})
    }}"""
    scalars = {"q": [1.0], "c": [0.0]}
    constants = {name: np.array(v, np.float32).reshape(1, 1, 1, 1) for name, v in scalars.items()}
    constants |= {"low": np.array(0, np.float32), "high": np.array(9, np.float32)}
    return sealed(text, {**constants, "w": weights({"w": (3, 4, 3, 3)})["w"]})


def test_analog_input_is_counted_apart() -> None:
    model = analog_net()
    fan_out = FanOut(model)
    events = {"s": np.ones((1, 3, 6, 6), np.float32)}
    shapes = {"shown": (1, 4, 6, 6)}
    assert fan_out.synaptic_operations(events, shapes) == {"s": 0.0, "out": 108.0}
    source = onnx.parser.parse_model(
        HEADER + "n (float[N, 4, 6, 6] x) => (float y) { y = Conv <pads = [1, 1, 1, 1]> (x, w) }"
    )
    source.graph.initializer.extend(t for t in model.proto.graph.initializer if t.name == "w")
    macs = macs_per_sample(source, {"x": np.ones((1, 4, 6, 6), np.float32)})
    assert fan_out.analog_operations(events, shapes) == macs
    assert manifest().analog_ops == ()


def test_spiking_input_has_no_analog_operations() -> None:
    fan_out = FanOut(net("y = Identity (p)", {}))
    events = {"p": np.ones((1, CHANNELS, SIDE, SIDE), np.float32)}
    assert fan_out.analog_operations(events, {"shown": (1, CHANNELS, SIDE, SIDE)}) == 0.0

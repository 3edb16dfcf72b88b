"""Dense 3 x 3 convolutions by tiles: floats to rounding, whole numbers to the last bit."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from event_nets import ALWAYS_DENSE, ALWAYS_EVENTS
from spiking_nets import sealed

from onnx2snn.ir.derive.running import to_running
from onnx2snn.ir.ops import DOMAIN
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.backends.reference import ReferenceBackend
from onnx2snn.runtime.engine.lowering import lower


def conv_net(
    inputs: int,
    outputs: int,
    pads: list[int],
    *,
    pool: int = 1,
    unit: bool = False,
    fire: bool = False,
) -> onnx.ModelProto:
    """Neurons on the input, and a 3 x 3 convolution, whose currents or spikes are read out."""
    rng = np.random.default_rng(inputs * outputs)
    kind = "IntegrateFire" if unit else "GradedIntegrateFire"
    constants = {
        "q": np.full((1, inputs, 1, 1), 0.25, np.float32),
        "c": rng.uniform(-1, 1, (1, inputs, 1, 1)).astype(np.float32),
        "low": np.zeros((), np.float32),
        "high": np.array(20000, np.float32),
        "w": rng.normal(size=(outputs, inputs, 3, 3)).astype(np.float32),
        "each": np.eye(outputs, dtype=np.float32).reshape(outputs, outputs, 1, 1),
        "o_q": np.ones((1, outputs, 1, 1), np.float32),
        "o_c": np.zeros((1, outputs, 1, 1), np.float32),
    }
    neuron = f"""
      out = {DOMAIN}.{kind} (z, o_q, o_c, low, high, timesteps, onnx2snn_stimulus)
      read = Conv (out, each)"""  # a neuron in front of a convolution is fused with its current
    text = f"""
    tiny (float[N, {inputs}, H, W] image, int64 timesteps) => (float[N, {outputs}, Y, X] values) {{
      shown = {DOMAIN}.DirectCurrent (image, timesteps, onnx2snn_stimulus)
      s = {DOMAIN}.{kind} (shown, q, c, low, high, timesteps, onnx2snn_stimulus)
      p = AveragePool <kernel_shape = [{pool}, {pool}], strides = [{pool}, {pool}]> (s)
      z = Conv <kernel_shape = [3, 3], pads = {pads}> (p, w)
      {neuron if fire else ""}
      values = {DOMAIN}.ReadOut ({"read" if fire else "z"}, o_c, timesteps, onnx2snn_stimulus)
    }}"""
    return to_running(sealed(text, constants, stimulus=3)).body


def images(channels: int, size: tuple[int, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(channels)
    image = rng.normal(0, 4, (2, channels, *size)).astype(np.float32)
    return {"image": image, "timesteps": np.array(3, np.int64)}


def currents(body: onnx.ModelProto, feeds: dict[str, np.ndarray], **options: bool) -> np.ndarray:
    (given,) = EventBackend(ALWAYS_DENSE, **options).load(body, threads=2).run(feeds).values()
    return given


def assert_near(given: np.ndarray, expected: np.ndarray) -> None:
    # float32 rounds to 6e-8; sums through the transforms are some 50 times less exact.
    np.testing.assert_allclose(given, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("size", [(4, 4), (7, 7), (9, 6), (16, 12)])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize(("inputs", "outputs"), [(8, 8), (17, 16), (24, 20), (33, 70)])
def test_currents_of_floats(
    isa: str, inputs: int, outputs: int, unit: bool, size: tuple[int, int]
) -> None:
    pads = [1, 1, 1, 1] if outputs != 20 else [0, 2, 1, 0]
    body = conv_net(inputs, outputs, pads, unit=unit)
    feeds = images(inputs, size)
    (expected,) = ReferenceBackend().load(body).run(feeds).values()
    given = currents(body, feeds)
    assert_near(given, expected)
    if min(expected.shape[2:]) >= 4:  # enough outputs to be worth tiles
        assert np.any(given != currents(body, feeds, tiles=False))


def test_a_pool_in_front(isa: str) -> None:
    body = conv_net(16, 40, [1, 1, 1, 1], pool=2)
    feeds = images(16, (17, 14))
    (expected,) = ReferenceBackend().load(body).run(feeds).values()
    assert_near(currents(body, feeds), expected)


@pytest.mark.parametrize("peak", [1000.0, 4000.0])  # 4096 quanta, and more than tiles may hold
def test_large_whole_numbers(isa: str, peak: float) -> None:
    body = conv_net(24, 40, [1, 1, 1, 1], fire=True)
    feeds = images(24, (9, 9))
    feeds["image"][:, 3, 4, 5] = peak
    used = [tensor.name for tensor in lower(body, int8=True).graph.initializer]
    assert "onnx2snn.engine/out/scale" in used
    dense, events = (
        EventBackend(above, weights="int8").load(body).run(feeds)
        for above in (ALWAYS_DENSE, ALWAYS_EVENTS)
    )
    for name, values in events.items():
        assert np.any(values != 0)
        np.testing.assert_array_equal(dense[name], values)

"""Random small spiking nets on exact arithmetic: every sum is the same in any order.

Weights, quanta and currents are small multiples of powers of two, so float32 holds all sums
exactly, and backends must agree to the last bit.
"""

from __future__ import annotations

import numpy as np
from spiking_nets import sealed

from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN

KINDS = (
    "IntegrateFire",
    "SignedIntegrateFire",
    "GradedIntegrateFire",
    "GradedIntegrateFire_x3",
    "IntegrateFire_PRelu",
    "GradedIntegrateFire_PRelu",
)
ALWAYS_EVENTS, ALWAYS_DENSE = 2.0, 0.0
"""Densities above which a timestep is dense: none is, or all are."""
CHANNELS = (1, 3, 4, 16, 20, 33)


def _neuron(
    rng: np.random.Generator, name: str, kind: str, shape: list[int], constants: dict
) -> str:
    """Add the constants of a layer; return its inputs behind the stream."""
    constants[f"{name}_q"] = np.exp2(rng.integers(-3, 0, shape)).astype(np.float32)
    constants[f"{name}_c"] = (rng.integers(-16, 17, shape) / 64).astype(np.float32)
    constants[f"{name}_lo"] = np.array(rng.integers(-8, 1), np.float32)
    constants[f"{name}_hi"] = np.array(rng.integers(1, 40), np.float32)
    constants[f"{name}_s"] = np.exp2(rng.integers(-2, 1, shape)).astype(np.float32)
    slope = f", {name}_s" if "PRelu" in kind else ""
    return f"{name}_q, {name}_c{slope}, {name}_lo, {name}_hi, timesteps, onnx2snn_stimulus"


def _weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.integers(-8, 9, shape) / 16).astype(np.float32)


def conv_text(rng: np.random.Generator, ndim: int, group: int) -> tuple[str, list[int]]:
    """Random attributes of a Conv, and its kernel."""
    kernel = rng.integers(1, 4, ndim).tolist()
    attributes = {
        "kernel_shape": kernel,
        "strides": rng.integers(1, 3, ndim).tolist(),
        "dilations": rng.integers(1, 3, ndim).tolist(),
        "pads": rng.integers(0, 3, 2 * ndim).tolist(),
    }
    text = ", ".join(f"{key} = {value}" for key, value in attributes.items())
    return f"<{text}, group = {group}>", kernel


def random_net(seed: int) -> tuple[SpikingModel, np.ndarray]:
    """An encoder, a conv of any kind, a residual conv, pools and a read-out; and its input."""
    rng = np.random.default_rng(seed)
    ndim = int(rng.integers(1, 3))
    size = rng.integers(7, 12, ndim).tolist()
    inputs = int(rng.choice(CHANNELS))
    group = int(rng.choice([1, 1, 2 if inputs % 2 == 0 else 1, inputs]))
    group = 5 if inputs % 5 == 0 and seed % 3 == 0 else group
    outputs = (
        inputs if group > 5 or group in (3, 4) else group * int(rng.choice((1, 5, 16, 24, 70)))
    )
    kinds = rng.choice(KINDS, 3).tolist()
    ones, constants = [1] * ndim, {"onnx2snn_stimulus": np.array(rng.integers(1, 5), np.int64)}
    first, kernel = conv_text(rng, ndim, group)
    same = f"<kernel_shape = {[3] * ndim}, pads = {[1] * 2 * ndim}>"
    pool = f"<kernel_shape = {[2] * ndim}, strides = {[2] * ndim}, pads = {[1] * 2 * ndim}>"
    halves = f"<kernel_shape = {[2] * ndim}, strides = {[2] * ndim}>"
    signed = kinds[1].startswith(("IntegrateFire", "Signed"))
    encoder = _neuron(rng, "e", kinds[0], [1, inputs, *ones], constants)
    inner = _neuron(rng, "a", kinds[1], [1, outputs, *ones], constants)
    outer = _neuron(rng, "b", kinds[2], [1, outputs, *ones], constants)
    constants |= {
        "w1": _weights(rng, outputs, inputs // group, *kernel),
        "w2": _weights(rng, outputs, outputs, *[3] * ndim),
        "w3": _weights(rng, 7, outputs, *ones),
        "o_c": _weights(rng, 1, 7, *ones),
    }
    pooled = f"{DOMAIN}.IncrementMaxPool {pool} (s1, a_q, timesteps)"
    dims, open_dims = ", ".join(map(str, size)), ", ".join(["N", "7", "H", "W"][: 2 + ndim])
    text = f"""
    tiny (float[N, {inputs}, {dims}] image, int64 timesteps) => (float[{open_dims}] values) {{
      shown = {DOMAIN}.DirectCurrent (image, timesteps, onnx2snn_stimulus)
      s0 = {DOMAIN}.{kinds[0]} (shown, {encoder})
      z1 = Conv {first} (s0, w1)
      s1 = {DOMAIN}.{kinds[1]} (z1, {inner})
      p1 = {pooled if signed and seed % 2 else "Identity (s1)"}
      z2 = Conv {same} (p1, w2)
      r2 = Add (z2, p1)
      s2 = {DOMAIN}.{kinds[2]} (r2, {outer})
      m = AveragePool {halves} (s2)
      z3 = Conv (m, w3)
      values = {DOMAIN}.ReadOut (z3, o_c, timesteps, onnx2snn_stimulus)
    }}"""
    stimulus = int(constants.pop("onnx2snn_stimulus"))
    image = rng.integers(-16, 33, (int(rng.integers(1, 4)), inputs, *size)) / 32
    return sealed(text, constants, stimulus=stimulus), image.astype(np.float32)


def chain_net(seed: int) -> tuple[SpikingModel, np.ndarray]:
    """Neurons on the input, a pool in front of a conv, a residual block, a read-out; and its input.

    Channels are often whole bytes of bits; half of the nets are binary throughout.
    """
    rng = np.random.default_rng(1000 + seed)
    kinds = ["IntegrateFire"] * 3 if seed % 2 == 0 else rng.choice(KINDS[:3], 3).tolist()
    inputs = int(rng.choice((2, 8, 16, 24, 64)))
    group = int(rng.choice((1, 2, inputs)))
    outputs = inputs if group == inputs else group * int(rng.choice((4, 8, 16, 36)))
    pool = rng.choice((1, 2, 4), 2).tolist()  # powers of two divide exactly
    height, width = (rng.integers(4, 6, 2) * pool + rng.integers(0, 2, 2)).tolist()
    first, kernel = conv_text(rng, 2, group)
    halves = f"<kernel_shape = {pool}, strides = {pool}>"
    same = "<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>"
    constants = {"onnx2snn_stimulus": np.array(rng.integers(1, 9), np.int64)}
    encoder = _neuron(rng, "e", kinds[0], [1, inputs, 1, 1], constants)
    inner = _neuron(rng, "a", kinds[1], [1, outputs, 1, 1], constants)
    outer = _neuron(rng, "b", kinds[2], [1, outputs, 1, 1], constants)
    constants |= {
        "w1": _weights(rng, outputs, inputs // group, *kernel),
        "w2": _weights(rng, outputs, outputs, 3, 3),
        "w3": _weights(rng, 7, outputs, 1, 1),
        "o_c": _weights(rng, 1, 7, 1, 1),
    }
    text = f"""
    tiny (float[N, {inputs}, {height}, {width}] image, int64 timesteps)
        => (float[N, 7, H, W] values) {{
      shown = {DOMAIN}.DirectCurrent (image, timesteps, onnx2snn_stimulus)
      s0 = {DOMAIN}.{kinds[0]} (shown, {encoder})
      p0 = AveragePool {halves} (s0)
      z1 = Conv {first} (p0, w1)
      s1 = {DOMAIN}.{kinds[1]} (z1, {inner})
      z2 = Conv {same} (s1, w2)
      r2 = Add (z2, s1)
      s2 = {DOMAIN}.{kinds[2]} (r2, {outer})
      z3 = Conv (s2, w3)
      values = {DOMAIN}.ReadOut (z3, o_c, timesteps, onnx2snn_stimulus)
    }}"""
    stimulus = int(constants.pop("onnx2snn_stimulus"))
    image = rng.integers(-16, 33, (int(rng.integers(1, 4)), inputs, height, width)) / 32
    return sealed(text, constants, stimulus=stimulus), image.astype(np.float32)


def direct_net(stimulus: int) -> tuple[SpikingModel, np.ndarray]:
    """A conv and a pool on the input itself, neurons, a flattened Gemm; and its input."""
    rng = np.random.default_rng(stimulus)
    constants = {
        "w1": _weights(rng, 20, 3, 3, 3),
        "w2": _weights(rng, 5, 20 * 4),
        "o_c": _weights(rng, 1, 5),
    }
    first = _neuron(rng, "a", "IntegrateFire", [1, 20, 1, 1], constants)
    text = f"""
    tiny (float[N, 3, 8, 8] image, int64 timesteps) => (float[N, 5] values) {{
      shown = {DOMAIN}.DirectCurrent (image, timesteps, onnx2snn_stimulus)
      p1 = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (shown)
      z1 = Conv <pads = [1, 1, 1, 1], strides = [2, 2], kernel_shape = [3, 3]> (p1, w1)
      s1 = {DOMAIN}.IntegrateFire (z1, {first})
      flat = Flatten (s1)
      z2 = Gemm <transB = 1> (flat, w2)
      values = {DOMAIN}.ReadOut (z2, o_c, timesteps, onnx2snn_stimulus)
    }}"""
    image = rng.integers(0, 33, (3, 3, 8, 8)) / 32
    return sealed(text, constants, stimulus=stimulus), image.astype(np.float32)

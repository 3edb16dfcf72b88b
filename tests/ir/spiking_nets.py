"""Small spiking nets, written by hand and sealed: no converter involved."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper, parser

from onnx2snn.ir.manifest import CalibrationSource, Manifest, SourceModel
from onnx2snn.ir.model import STIMULUS, SpikingModel
from onnx2snn.ir.ops import DOMAIN, OPSET
from onnx2snn.ir.seal import seal

HEADER = f'<ir_version: 10, opset_import: ["": {OPSET}, "{DOMAIN}": 1]>\n'


def manifest(stimulus: int | None = 1, timesteps: int = 16, alphabet: str = "graded") -> Manifest:
    return Manifest(
        producer="onnx2snn 0.0.0",
        source=SourceModel(name="tiny", sha256="", opset=OPSET),
        preset="graded",
        timesteps=timesteps,
        stimulus=stimulus,
        alphabet=alphabet,
        digits=1,
        input_coding="bit-planes",
        threshold_rule="percentile",
        levels=255,
        bias_correction=False,
        calibration=CalibrationSource(kind="synthetic", samples=0),
    )


def sealed(text: str, constants: dict[str, np.ndarray], **manifest_fields: object) -> SpikingModel:
    """Seal a graph in ONNX text; the text's last input is ``timesteps``."""
    told = manifest(**manifest_fields)  # type: ignore[arg-type]
    graph = parser.parse_model(HEADER + text).graph
    values = {"timesteps": np.array(told.timesteps, np.int64), **constants}
    if told.stimulus is not None:
        values[STIMULUS.replace("/", "_")] = np.array(told.stimulus, np.int64)
    graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in values.items())
    return seal(graph, told)


def neuron_constants(rng: np.random.Generator, layer: str, shape: list[int]) -> dict:
    return {
        f"{layer}_q": rng.uniform(0.02, 0.08, size=shape).astype(np.float32),
        f"{layer}_c": rng.uniform(-0.3, 0.3, size=shape).astype(np.float32),
        f"{layer}_min": np.array(0, np.float32),
        f"{layer}_max": np.array(255, np.float32),
    }


def conv_net(kind: str = "GradedIntegrateFire", stimulus: int | None = 1) -> SpikingModel:
    """Encoder, Conv, neuron, max-pool, residual Conv, neuron, average pool, Gemm; Softmax head."""
    steps = "timesteps" if stimulus is None else STIMULUS.replace("/", "_")
    rng = np.random.default_rng(0)
    text = f"""
    tiny (float[N, 2, 6, 6] image, int64 timesteps)
      => (float[N, 4] probabilities, int64[N] label) {{
      [input] shown = {DOMAIN}.DirectCurrent (image, timesteps, {steps})
      [encoder] spikes0 = {DOMAIN}.{kind} (shown, e_q, e_c, e_min, e_max, timesteps, {steps})
      [conv1] z1 = Conv <pads = [1, 1, 1, 1]> (spikes0, w1)
      [pool] p1 = {DOMAIN}.MembraneMaxPool <kernel_shape = [2, 2], strides = [2, 2]>
        (z1, p_c, timesteps, {steps})
      [relu1] spikes1 = {DOMAIN}.{kind} (p1, a_q, a_c, a_min, a_max, timesteps, {steps})
      [conv2] z2 = Conv <pads = [1, 1, 1, 1], group = 2> (spikes1, w2)
      [add] r2 = Add (z2, spikes1)
      [relu2] spikes2 = {DOMAIN}.{kind} (r2, b_q, b_c, b_min, b_max, timesteps, {steps})
      [mean] g = GlobalAveragePool (spikes2)
      [flat] f = Flatten (g)
      [fc] z3 = Gemm (f, w3)
      [out] logits = {DOMAIN}.ReadOut (z3, o_c, timesteps, {steps})
      [softmax] probabilities = Softmax <axis = 1> (logits)
      [argmax] label = ArgMax <axis = 1, keepdims = 0> (logits)
    }}"""
    constants = {
        "e_q": np.full((1, 1, 1, 1), 1 / 255, np.float32),
        "e_c": np.zeros((1, 1, 1, 1), np.float32),
        "e_min": np.array(0, np.float32),
        "e_max": np.array(255, np.float32),
        "w1": rng.normal(0, 0.4, (4, 2, 3, 3)).astype(np.float32),
        "p_c": rng.normal(0, 0.1, (1, 4, 1, 1)).astype(np.float32),
        "w2": rng.normal(0, 0.4, (4, 2, 3, 3)).astype(np.float32),
        "w3": rng.normal(0, 0.6, (4, 4)).astype(np.float32),
        "o_c": rng.normal(0, 0.3, (1, 4)).astype(np.float32),
        **neuron_constants(rng, "a", [1, 4, 1, 1]),
        **neuron_constants(rng, "b", [1, 4, 1, 1]),
    }
    return sealed(text, constants, stimulus=stimulus)


def ann(model: SpikingModel) -> onnx.ModelProto:
    """The ANN that ``conv_net`` stands for."""
    text = """
    tiny (float[N, 2, 6, 6] image) => (float[N, 4] probabilities, int64[N] label) {
      z1 = Conv <pads = [1, 1, 1, 1]> (image, w1)
      y1 = Add (z1, p_c)
      p1 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (y1)
      b1 = Add (p1, a_c)
      a1 = Relu (b1)
      z2 = Conv <pads = [1, 1, 1, 1], group = 2> (a1, w2)
      r2 = Add (z2, a1)
      b2 = Add (r2, b_c)
      a2 = Relu (b2)
      g = GlobalAveragePool (a2)
      f = Flatten (g)
      z3 = Gemm (f, w3)
      logits = Add (z3, o_c)
      probabilities = Softmax <axis = 1> (logits)
      label = ArgMax <axis = 1, keepdims = 0> (logits)
    }"""
    proto = parser.parse_model(f'<ir_version: 10, opset_import: ["": {OPSET}]>\n{text}')
    read = {name for node in proto.graph.node for name in node.input}
    proto.graph.initializer.extend(t for t in model.proto.graph.initializer if t.name in read)
    return proto


def images(samples: int, seed: int = 1) -> dict[str, np.ndarray]:
    """8-bit images on the grid of the encoder."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (samples, 2, 6, 6))
    return {"image": (pixels / 255).astype(np.float32)}


def lift_net(stimulus: int | None = 1) -> SpikingModel:
    """Self-attention without projections: softmax(x x^T) x, lifted; then a dense layer."""
    steps = "timesteps" if stimulus is None else STIMULUS.replace("/", "_")
    rng = np.random.default_rng(3)
    text = f"""
    tiny (float[N, 3, 4] tokens, float[N, 3, 3] mask, int64 timesteps)
      => (float[N, 3, 2] scores) {{
      shown = {DOMAIN}.DirectCurrent (tokens, timesteps, {steps})
      [encoder] x = {DOMAIN}.GradedIntegrateFire (shown, q, c, low, high, timesteps, {steps})
      [value] v = {DOMAIN}.Estimate (x, c, timesteps, {steps})
      [mask] m = {DOMAIN}.Hold (mask, timesteps)
      [keys] k = Transpose <perm = [0, 2, 1]> (v)
      [products] p = MatMul (v, k)
      [masked] h = Mul (p, m)
      [softmax] a = Softmax <axis = 2> (h)
      [mix] o = MatMul (a, v)
      [lift] z = {DOMAIN}.Increment (o, timesteps, {steps})
      [requantise] s = {DOMAIN}.GradedIntegrateFire (z, q, c, low, high, timesteps, {steps})
      [fc] y = MatMul (s, w)
      scores = {DOMAIN}.ReadOut (y, c, timesteps, {steps})
    }}"""
    constants = {
        "q": np.full((1, 1, 1), 1 / 64, np.float32),
        "c": np.zeros((1, 1, 1), np.float32),
        "low": np.array(-255, np.float32),
        "high": np.array(255, np.float32),
        "w": rng.normal(0, 1, (4, 2)).astype(np.float32),
    }
    return sealed(text, constants, stimulus=stimulus)


def tokens(samples: int) -> dict[str, np.ndarray]:
    """Tokens on the grid of the encoder, and a random mask."""
    rng = np.random.default_rng(4)
    grid = rng.integers(-64, 65, (samples, 3, 4)) / 64
    mask = rng.integers(0, 2, (samples, 3, 3))
    return {"tokens": grid.astype(np.float32), "mask": mask.astype(np.float32)}

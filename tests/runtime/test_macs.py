"""MACs of the ANN: what its weighted operators really multiply."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper, parser

from onnx2snn.runtime.evaluation.macs import macs_per_sample

HEADER = '<ir_version: 10, opset_import: ["": 21]>\n'
RNG = np.random.default_rng(0)


def ann(text: str, **weights: np.ndarray) -> ModelProto:
    model = parser.parse_model(HEADER + text)
    model.graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in weights.items())
    return model


def dense(*shape: int) -> np.ndarray:
    return RNG.uniform(0.1, 1, shape).astype(np.float32)


IMAGE = {"x": np.zeros((1, 2, 5, 5), np.float32)}
VECTOR = {"x": np.zeros((1, 6), np.float32)}
SIGNATURE = "n (float[N, 2, 5, 5] x) => (float y)"


@pytest.mark.parametrize(
    ("body", "shape", "expected"),
    [
        ("y = Conv (x, w)", (3, 2, 3, 3), 9 * 3 * 2 * 9),  # 3 x 3 places
        (
            "y = Conv <pads = [1, 1, 1, 1]> (x, w)",
            (3, 2, 3, 3),
            13 * 13 * 2 * 3,
        ),  # 2+3+3+3+2 taps an axis
        ("y = Conv <group = 2> (x, w)", (4, 1, 3, 3), 9 * 4 * 9),
        ("y = Conv <strides = [2, 2]> (x, w)", (1, 2, 1, 1), 9 * 2),
        ("y = ConvTranspose <strides = [2, 2]> (x, w)", (2, 3, 2, 2), 25 * 2 * 3 * 4),
    ],
)
def test_convolutions_by_hand(body: str, shape: tuple[int, ...], expected: float) -> None:
    assert macs_per_sample(ann(f"{SIGNATURE} {{ {body} }}", w=dense(*shape)), IMAGE) == expected


def test_dense_layers_ignore_biases_and_scales() -> None:
    text = "n (float[N, 6] x) => (float[N, 4] y) { y = Gemm <alpha = 0.1, transB = 1> (x, w, b) }"
    assert macs_per_sample(ann(text, w=dense(4, 6), b=dense(4)), VECTOR) == 24
    text = "n (float[N, 6] x) => (float[N, 4] y) { h = MatMul (x, w)  y = Relu (h) }"
    assert macs_per_sample(ann(text, w=dense(6, 4)), VECTOR) == 24


def test_pruned_weights_cost_nothing() -> None:
    weight = dense(6, 4)
    weight[:2] = 0
    text = "n (float[N, 6] x) => (float[N, 4] y) { y = MatMul (x, w) }"
    assert macs_per_sample(ann(text, w=weight), VECTOR) == 16


def test_products_of_activations_count_in_full() -> None:
    text = """n (float[N, 6] x) => (float y) {
      t = Transpose (x)
      y = MatMul (t, x)
    }"""
    assert macs_per_sample(ann(text), VECTOR) == 36


def test_batches_are_shared_out() -> None:
    text = "n (float[N, 6] x) => (float[N, 4] y) { y = MatMul (x, w) }"
    batch = {"x": np.zeros((5, 6), np.float32)}
    assert macs_per_sample(ann(text, w=dense(6, 4)), batch, 5) == 24


def test_networks_without_weights() -> None:
    assert (
        macs_per_sample(ann("n (float[N, 6] x) => (float[N, 6] y) { y = Relu (x) }"), VECTOR) == 0
    )

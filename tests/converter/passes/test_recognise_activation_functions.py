from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.recognise_activation_functions import (
    recognise_activation_functions,
)
from onnx2snn.converter.passes.recognise_leaky_relu import recognise_leaky_relu
from onnx2snn.converter.passes.recognise_relu import recognise_relu

TEXT = """
net (float[N,4,5] x, float[N,4,5] other) => (float[N,4,5] y)
    <float zero = {0}, float one = {1}, float two = {2}, float three = {3}, float six = {6},
     float half = {0.5}, float sixth = {0.16666667}, float quick = {1.702},
     float root = {1.4142135},
     float inverse = {0.70710677}, float cubic = {0.044715}, float outer = {0.7978846},
     float alpha = {0.7}, float gamma = {1.0507}, float product = {1.7580993},
     float fifth = {0.2}, float low = {-30},
     float[1,1,1] shaped = {0.5}, float minus = {-1}, float[4,1] many>
{ NODE }
"""

# What exporters write, and the operator and attributes it is.
WRITTEN = {
    "capped_leaky": (
        "l = LeakyRelu <alpha = 0.1> (x) \n n = Neg (six) \n [f] y = Clip (l, n, six)",
        "CappedLeakyRelu",
        {"alpha": 0.1, "cap": 6.0},
    ),
    "capped_leaky_inside": (
        "c = Clip (x, low, six) \n [f] y = LeakyRelu <alpha = 0.2> (c)",
        "CappedLeakyRelu",
        {"alpha": 0.2, "cap": 6.0},
    ),
    "silu": ("s = Sigmoid (x) \n [f] y = Mul (x, s)", "Silu", {"alpha": 1.0}),
    "silu_swapped": ("s = Sigmoid (x) \n [f] y = Mul (s, x)", "Silu", {"alpha": 1.0}),
    "silu_by_exp": (
        "n = Neg (x) \n e = Exp (n) \n d = Add (one, e) \n [f] y = Div (x, d)",
        "Silu",
        {"alpha": 1.0},
    ),
    "quick_gelu": (
        "m = Mul (x, quick) \n s = Sigmoid (m) \n [f] y = Mul (x, s)",
        "Silu",
        {"alpha": 1.702},
    ),
    "hard_swish_torch": (
        "a = Add (x, three) \n c = Clip (a, zero, six) \n m = Mul (x, c) \n [f] y = Div (m, six)",
        "HardSwish",
        {},
    ),
    "hard_swish_tf": (
        "a = Add (x, three) \n r = Relu (a) \n c = Min (r, six) \n m = Mul (c, sixth)"
        "\n [f] y = Mul (x, m)",
        "HardSwish",
        {},
    ),
    "hard_swish_by_hard_sigmoid": (
        "h = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) \n [f] y = Mul (h, x)",
        "HardSwish",
        {},
    ),
    "hard_sigmoid": (
        "d = Div (x, six) \n a = Add (d, half) \n [f] y = Clip (a, zero, one)",
        "HardSigmoid",
        {"alpha": 1 / 6, "beta": 0.5},
    ),
    "hard_sigmoid_relu6": (
        "a = Add (x, three) \n c = Clip (a, zero, six) \n [f] y = Div (c, six)",
        "HardSigmoid",
        {"alpha": 1 / 6, "beta": 0.5},
    ),
    "hard_sigmoid_keras": (
        "d = Mul (fifth, x) \n a = Add (d, half) \n [f] y = Clip (a, zero, one)",
        "HardSigmoid",
        {"alpha": 0.2, "beta": 0.5},
    ),
    "gelu_torchscript": (
        "d = Div (x, root) \n e = Erf (d) \n a = Add (e, one) \n m = Mul (x, a)"
        "\n [f] y = Mul (m, half)",
        "Gelu",
        {},
    ),
    "gelu_dynamo": (
        "d = Div (x, root) \n e = Erf (d) \n a = Add (e, one) \n m = Mul (half, a)"
        "\n [f] y = Mul (x, m)",
        "Gelu",
        {},
    ),
    "gelu_tf2onnx": (
        "d = Mul (x, inverse) \n e = Erf (d) \n a = Add (one, e) \n m = Mul (x, half)"
        "\n [f] y = Mul (m, a)",
        "Gelu",
        {},
    ),
    "gelu_jax": (
        "n = Neg (x) \n d = Mul (n, inverse) \n e = Erf (d) \n c = Sub (one, e)"
        "\n m = Mul (x, shaped) \n [f] y = Mul (c, m)",
        "Gelu",
        {},
    ),
    "gelu_tanh": (
        "p = Pow (x, three) \n c = Mul (cubic, p) \n a = Add (x, c) \n m = Mul (outer, a)"
        "\n t = Tanh (m) \n b = Add (one, t) \n h = Mul (half, x) \n [f] y = Mul (h, b)",
        "Gelu",
        {"approximate": b"tanh"},
    ),
    "gelu_tanh_products": (
        "s = Mul (x, x) \n p = Mul (s, x) \n c = Mul (p, cubic) \n a = Add (c, x)"
        "\n m = Mul (a, outer) \n t = Tanh (m) \n b = Add (t, one) \n h = Mul (b, half)"
        "\n [f] y = Mul (x, h)",
        "Gelu",
        {"approximate": b"tanh"},
    ),
    "mish": ("s = Softplus (x) \n t = Tanh (s) \n [f] y = Mul (x, t)", "Mish", {}),
    "mish_by_exp": (
        "e = Exp (x) \n a = Add (e, one) \n l = Log (a) \n t = Tanh (l) \n [f] y = Mul (t, x)",
        "Mish",
        {},
    ),
    "softplus": ("e = Exp (x) \n a = Add (e, one) \n [f] y = Log (a)", "Softplus", {}),
    "softplus_stable": (
        "b = Abs (x) \n n = Neg (b) \n e = Exp (n) \n a = Add (e, one) \n l = Log (a)"
        "\n m = Max (x, zero) \n [f] y = Add (m, l)",
        "Softplus",
        {},
    ),
    "elu": (
        "t = Greater (x, zero) \n e = Exp (x) \n s = Sub (e, one) \n m = Mul (alpha, s)"
        "\n [f] y = Where (t, x, m)",
        "Elu",
        {"alpha": 0.7},
    ),
    "elu_of_minimum": (
        "r = Relu (x) \n b = Min (x, zero) \n e = Exp (b) \n s = Sub (e, one)\n [f] y = Add (r, s)",
        "Elu",
        {"alpha": 1.0},
    ),
    "celu": (
        "r = Relu (x) \n d = Div (x, alpha) \n e = Exp (d) \n s = Sub (e, one)"
        "\n m = Mul (s, alpha) \n b = Min (m, zero) \n [f] y = Add (r, b)",
        "Celu",
        {"alpha": 0.7},
    ),
    "selu": (
        "t = Greater (x, zero) \n u = Mul (x, gamma) \n e = Exp (x) \n s = Sub (e, one)"
        "\n m = Mul (s, product) \n [f] y = Where (t, u, m)",
        "Selu",
        {"alpha": 1.7580993 / 1.0507, "gamma": 1.0507},
    ),
    "sigmoid": (
        "n = Neg (x) \n e = Exp (n) \n a = Add (e, one) \n [f] y = Reciprocal (a)",
        "Sigmoid",
        {},
    ),
    "tanh": (
        "d = Mul (x, two) \n s = Sigmoid (d) \n m = Mul (s, two) \n [f] y = Sub (m, one)",
        "Tanh",
        {},
    ),
    "softsign": ("b = Abs (x) \n a = Add (b, one) \n [f] y = Div (x, a)", "Softsign", {}),
    "relu_by_size": ("b = Abs (x) \n a = Add (b, x) \n [f] y = Mul (a, half)", "Relu", {}),
    "thresholded": (
        "t = Greater (x, half) \n [f] y = Where (t, x, zero)",
        "ThresholdedRelu",
        {"alpha": 0.5},
    ),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_is_recognised(written: tuple[str, str, dict[str, object]]) -> None:
    nodes, op, attributes = written
    result = rewrite(TEXT.replace("NODE", nodes), recognise_activation_functions)
    assert result.ops == [op]
    assert result.names == ["f"]
    assert result.attributes("f") == pytest.approx(attributes)
    assert [change.node for change in result.changes] == ["f"]
    assert result.again == []
    assert result.difference() < 3e-6


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_is_recognised_after_the_passes_before_it(
    written: tuple[str, str, dict[str, object]],
) -> None:
    result = rewrite(
        TEXT.replace("NODE", written[0]),
        recognise_leaky_relu,
        recognise_relu,
        recognise_activation_functions,
    )
    assert result.ops == [written[1]]


def test_what_is_scaled_and_read_elsewhere_keeps_its_scale() -> None:
    nodes = (
        "m = Mul (x, two) \n s = Sigmoid (m) \n p = Mul (m, s) \n q = Add (p, m)"
        "\n [f] y = Mul (q, s)"
    )
    result = rewrite(TEXT.replace("NODE", nodes), recognise_activation_functions)
    assert "Silu" in result.ops
    assert result.difference() < 1e-6


REFUSED = {
    "another_gate": "s = Sigmoid (other) \n [f] y = Mul (x, s)",
    "per_channel": "m = Mul (x, many) \n s = Sigmoid (m) \n [f] y = Mul (x, s)",
    "relu": "m = Mul (x, two) \n [f] y = Relu (m)",
    "clipped_line": "m = Mul (x, two) \n [f] y = Clip (m, zero, one)",
    "another_constant": (
        "d = Div (x, two) \n e = Erf (d) \n a = Add (e, one) \n m = Mul (x, a)"
        "\n [f] y = Mul (m, half)"
    ),
    "plain_sigmoid": "[f] y = Sigmoid (x)",
}


@pytest.mark.parametrize("nodes", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(nodes: str) -> None:
    result = rewrite(TEXT.replace("NODE", nodes), recognise_activation_functions)
    assert result.changes == []

from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.recognise_leaky_relu import recognise_leaky_relu

TEXT = """
net (float[N,4] x) => (float[N,4] y)
    <float zero = {0}, float a = {0.125}, float[1] b = {-0.5}, float[4] mixed = {0.1, 0.2, 0.3,
     0.4},
     float two = {2}>
{ NODE }
"""

WRITTEN = {
    "max": ("[m] m = Mul (x, a) \n [f] y = Max (x, m)", 0.125),
    "max_swapped": ("[m] m = Mul (a, x) \n [f] y = Max (m, x)", 0.125),
    "where": (
        "[t] t = Greater (x, zero) \n [m] m = Mul (x, b) \n [f] y = Where (t, x, m)",
        -0.5,
    ),
    "where_less": (
        "[t] t = Less (x, zero) \n [m] m = Mul (x, a) \n [f] y = Where (t, m, x)",
        0.125,
    ),
    "sum": (
        "[r] r = Relu (x) \n [n] n = Min (x, zero) \n [m] m = Mul (a, n) \n [f] y = Add (r, m)",
        0.125,
    ),
    "difference": (
        "[r] r = Relu (x) \n [n] n = Neg (x) \n [s] s = Relu (n) \n [m] m = Mul (s, a)"
        "\n [f] y = Sub (r, m)",
        0.125,
    ),
    "prelu": ("[f] y = PRelu (x, b)", -0.5),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_is_recognised(written: tuple[str, float]) -> None:
    nodes, alpha = written
    result = rewrite(TEXT.replace("NODE", nodes), recognise_leaky_relu)
    assert result.ops == ["LeakyRelu"]
    assert result.names == ["f"]
    assert result.attributes("f")["alpha"] == alpha
    assert [change.node for change in result.changes] == ["f"]
    assert result.again == []
    assert result.difference() == 0.0  # 0.125 and 0.5 are powers of two: no rounding


REFUSED = {
    "steeper_than_one": "[m] m = Mul (x, two) \n [f] y = Max (x, m)",
    "per_element": "[m] m = Mul (x, mixed) \n [f] y = Max (x, m)",
    "prelu_per_channel": "[f] y = PRelu (x, mixed)",
    "other_input": "[n] n = Exp (x) \n [m] m = Mul (n, a) \n [f] y = Max (x, m)",
    "other_threshold": (
        "[t] t = Greater (x, two) \n [m] m = Mul (x, a) \n [f] y = Where (t, x, m)"
    ),
}


@pytest.mark.parametrize("nodes", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(nodes: str) -> None:
    assert rewrite(TEXT.replace("NODE", nodes), recognise_leaky_relu).changes == []

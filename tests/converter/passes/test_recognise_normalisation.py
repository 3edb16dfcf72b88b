from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.recognise_normalisation import recognise_normalisation

TEXT = """
net (float[N,3,8] x) => (float[N,3,8] y)
    <int64[1] last = {-1}, int64[1] second = {1}, float eps = {0.00001}, float two = {2},
     float minus_half = {-0.5}, float[8] scale, float[8] bias, float[3,1] rows, float one = {1}>
{ NODE }
"""
CENTRE = "m = ReduceMean (x, last) \n d = Sub (x, m) \n"

WRITTEN = {
    "torch": (
        CENTRE + "p = Pow (d, two) \n v = ReduceMean (p, last) \n a = Add (v, eps) \n s = Sqrt (a)"
        "\n n = Div (d, s) \n t = Mul (n, scale) \n [f] y = Add (t, bias)",
        "LayerNormalization",
    ),
    "without_affine": (
        CENTRE + "p = Mul (d, d) \n v = ReduceMean (p, last) \n a = Add (eps, v) \n s = Sqrt (a)"
        "\n [f] y = Div (d, s)",
        "LayerNormalization",
    ),
    "tensorflow": (
        CENTRE + "p = Mul (d, d) \n v = ReduceMean (p, last) \n a = Add (v, eps) \n s = Sqrt (a)"
        "\n r = Reciprocal (s) \n g = Mul (r, scale) \n u = Mul (x, g) \n w = Mul (m, g)"
        "\n b = Sub (bias, w) \n [f] y = Add (u, b)",
        "LayerNormalization",
    ),
    "jax_mean_of_squares": (
        "m = ReduceMean (x, last) \n q = Mul (x, x) \n o = ReduceMean (q, last) \n k = Mul (m, m)"
        "\n v = Sub (o, k) \n d = Sub (x, m) \n a = Add (v, eps) \n r = Pow (a, minus_half)"
        "\n g = Mul (r, scale) \n t = Mul (d, g) \n [f] y = Add (t, bias)",
        "LayerNormalization",
    ),
    "rms": (
        "q = Pow (x, two) \n v = ReduceMean (q, last) \n a = Add (v, eps) \n s = Sqrt (a)"
        "\n r = Reciprocal (s) \n n = Mul (x, r) \n [f] y = Mul (scale, n)",
        "RMSNorm",
    ),
    "rms_division": (
        "q = Mul (x, x) \n v = ReduceMean (q, last) \n a = Add (v, eps) \n s = Sqrt (a)"
        "\n r = Div (one, s) \n n = Mul (x, r) \n [f] y = Mul (n, scale)",
        "RMSNorm",
    ),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_is_recognised(written: tuple[str, str]) -> None:
    nodes, op = written
    result = rewrite(TEXT.replace("NODE", nodes), recognise_normalisation)
    assert result.ops == [op]
    assert result.names == ["f"]
    assert result.attributes("f")["epsilon"] == pytest.approx(1e-5)
    assert [change.node for change in result.changes] == ["f"]
    assert result.again == []
    assert result.difference() < 2e-6


REFUSED = {
    "centred_only": "m = ReduceMean (x, last) \n [f] y = Sub (x, m)",
    "another_axis": (
        "m = ReduceMean (x, second) \n d = Sub (x, m) \n p = Mul (d, d)"
        "\n v = ReduceMean (p, second) \n a = Add (v, eps) \n s = Sqrt (a) \n [f] y = Div (d, s)"
    ),
    "another_root": (
        CENTRE
        + "p = Mul (d, d) \n v = ReduceMean (p, last) \n a = Add (v, eps) \n [f] y = Div (d, a)"
    ),
    "plain": "[f] y = LayerNormalization (x, scale)",
}


@pytest.mark.parametrize("nodes", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(nodes: str) -> None:
    assert rewrite(TEXT.replace("NODE", nodes), recognise_normalisation).changes == []


def test_a_scale_per_row_stays_behind() -> None:
    nodes = WRITTEN["without_affine"][0].replace("[f] y", "[f] n") + "\n y = Mul (n, rows)"
    result = rewrite(TEXT.replace("NODE", nodes), recognise_normalisation)
    assert result.ops == ["LayerNormalization", "Mul"]
    assert result.difference() < 2e-6

from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.recognise_group_normalisation import recognise_group_normalisation

TEXT = """
net (float[N,SHAPE] x) => (float[N,SHAPE] y)
    <int64[2] places = {2, 3}, int64[2] lines = {1, 2}, int64[3] rest = {2, 3, 4},
     int64[1] one_rest = {-1}, int64[3] grouped = {0, 2, -1}, int64[4] back = {0, 6, 4, 5},
     int64[5] split = {0, 2, 3, 4, 5}, int64[5] lines_split = {-1, 4, 5, 2, 3},
     int64[3] lines_axes = {1, 2, 4}, int64[4] lines_back = {-1, 4, 5, 6},
     int64[1] second = {1}, int64[4] foreign = {1, 6, 4, 5},
     float eps = {0.001}, float two = {2}, float count = {20}, float half = {-0.5},
     float[2] ones = {1, 1}, float[2] zeros = {0, 0}, float[6,1,1] scale, float[6,1,1] bias,
     float[6] last_scale, float[6] last_bias, float[2,3] split_scale, float[4,5] place_scale>
{ NODE }
"""
CENTRED = "p = Mul (d, d) \n v = ReduceMean (p, AXES) \n a = Add (v, eps) \n s = Sqrt (a) \n"

WRITTEN = {
    "torch": (
        "r = Reshape (x, grouped) \n i = InstanceNormalization <epsilon = 0.001> (r, ones, zeros)"
        "\n b = Reshape (i, back) \n t = Mul (b, scale) \n [f] y = Add (t, bias)",
        ["GroupNormalization"],
    ),
    "torch_without_affine": (
        "r = Reshape (x, grouped) \n i = InstanceNormalization <epsilon = 0.001> (r, ones, zeros)"
        "\n [f] y = Reshape (i, back)",
        ["GroupNormalization"],
    ),
    "primitives": (
        "r = Reshape (x, split) \n m = ReduceMean (r, rest) \n d = Sub (r, m) \n"
        + CENTRED.replace("AXES", "rest")
        + "n = Div (d, s) \n b = Reshape (n, back) \n t = Mul (b, scale) \n [f] y = Add (t, bias)",
        ["GroupNormalization"],
    ),
    "instance": (
        "m = ReduceMean (x, places) \n d = Sub (x, m) \n"
        + CENTRED.replace("AXES", "places")
        + "n = Div (d, s) \n t = Mul (n, scale) \n [f] y = Add (t, bias)",
        ["InstanceNormalization"],
    ),
    "instance_with_an_affine_behind": (
        "i = InstanceNormalization <epsilon = 0.001> (x, last_scale, last_bias)"
        "\n t = Mul (i, scale) \n [f] y = Add (t, bias)",
        ["InstanceNormalization"],
    ),
    "jax_sums_and_mean_of_squares": (
        "o = ReduceSum <keepdims = 0> (x, places) \n m0 = Div (o, count)"
        "\n q = Mul (x, x) \n u = ReduceSum <keepdims = 0> (q, places) \n e = Div (u, count)"
        "\n k = Mul (m0, m0) \n v = Sub (e, k) \n a = Add (v, eps) \n r0 = Pow (a, half)"
        "\n m = Unsqueeze (m0, places) \n r = Unsqueeze (r0, places)"
        "\n d = Sub (x, m) \n [f] y = Mul (d, r)",
        ["InstanceNormalization"],
    ),
}
LINES = {
    "tensorflow_instance": (
        "m = ReduceMean (x, lines) \n d = Sub (x, m) \n"
        + CENTRED.replace("AXES", "lines")
        + "r = Reciprocal (s) \n g = Mul (r, last_scale) \n u = Mul (x, g) \n w = Mul (m, g)"
        "\n b = Sub (last_bias, w) \n [f] y = Add (u, b)",
        ["Transpose", "InstanceNormalization", "Transpose"],
    ),
    "keras_group": (
        "z = Reshape (x, lines_split) \n m = ReduceMean (z, lines_axes) \n d = Sub (z, m) \n"
        + CENTRED.replace("AXES", "lines_axes")
        + "r = Reciprocal (s) \n g = Mul (r, split_scale) \n u = Mul (z, g) \n w = Mul (m, g)"
        "\n b = Sub (split_scale, w) \n h = Add (u, b) \n [f] y = Reshape (h, lines_back)",
        ["Transpose", "GroupNormalization", "Transpose"],
    ),
}
CASES = [(name, "6,4,5", *case) for name, case in WRITTEN.items()]
CASES += [(name, "4,5,6", *case) for name, case in LINES.items()]


@pytest.mark.parametrize(("name", "shape", "nodes", "ops"), CASES, ids=[c[0] for c in CASES])
def test_is_recognised(name: str, shape: str, nodes: str, ops: list[str]) -> None:
    result = rewrite(
        TEXT.replace("SHAPE", shape).replace("NODE", nodes), recognise_group_normalisation
    )
    assert result.ops == ops
    assert "f" in result.names
    attributes = result.attributes("f")
    assert attributes["epsilon"] == pytest.approx(1e-3)
    assert attributes.get("num_groups", 2) == 2
    assert [change.node for change in result.changes] == ["f"]
    assert result.again == []
    assert result.difference() < 5e-6


REFUSED = {
    "over_channels": (
        "m = ReduceMean (x, second) \n d = Sub (x, m) \n"
        + CENTRED.replace("AXES", "second")
        + "[f] y = Div (d, s)"
    ),
    "another_root": (
        "m = ReduceMean (x, places) \n d = Sub (x, m) \n p = Mul (d, d)"
        "\n v = ReduceMean (p, places) \n a = Add (v, eps) \n s = Sqrt (a) \n t = Sqrt (s)"
        "\n [f] y = Div (d, t)"
    ),
    "one_operator": "[f] y = InstanceNormalization (x, last_scale, last_bias)",
    "centred_only": "m = ReduceMean (x, places) \n [f] y = Sub (x, m)",
}


@pytest.mark.parametrize("nodes", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(nodes: str) -> None:
    text = TEXT.replace("SHAPE", "6,4,5").replace("NODE", nodes)
    assert rewrite(text, recognise_group_normalisation).changes == []


def test_a_scale_per_position_stays_behind() -> None:
    nodes = WRITTEN["torch_without_affine"][0].replace("[f] y", "[f] n")
    text = TEXT.replace("SHAPE", "6,4,5").replace("NODE", nodes + "\n y = Mul (n, place_scale)")
    result = rewrite(text, recognise_group_normalisation)
    assert result.ops == ["GroupNormalization", "Mul"]
    assert result.difference() < 5e-6


def test_open_lengths_are_refused() -> None:
    text = TEXT.replace("SHAPE", "6,H,5").replace("NODE", WRITTEN["instance"][0])
    assert rewrite(text, recognise_group_normalisation).changes == []

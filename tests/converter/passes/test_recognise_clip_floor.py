from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.ann_functions import ANN_FUNCTIONS, inline
from onnx2snn.converter.passes.fold_constants import fold_constants
from onnx2snn.converter.passes.recognise_clip_floor import recognise_clip_floor

TEXT = """
net (float[N,64] x) => (float[N,64] y)
    <float lam = {1.6}, float zero = {0}, float one = {1}, float minus = {-1}, float levels = {8},
     float half = {0.5}, float lowest = {-8}, float[1] inverse = {0.625}, float step = {0.2},
     float two = {2}, float[2] pair = {1, 2}, float odd = {0.93}, float[64] many>
{ NODE }
"""

# What is written; then the operators, levels and threshold it becomes.
WRITTEN = {
    "qcfs": (
        "a = Div (x, lam) \n b = Clip (a, zero, one) \n c = Mul (b, levels) \n d = Add (c, half)"
        "\n e = Floor (d) \n f = Div (e, levels) \n [f] y = Mul (f, lam)",
        ["ClipFloor"],
        {"levels": 8},
        1.6,
    ),
    "floor_first": (
        "a = Mul (levels, x) \n b = Div (a, lam) \n c = Add (half, b) \n d = Floor (c)"
        "\n e = Div (d, levels) \n f = Clip (e, zero, one) \n [f] y = Mul (lam, f)",
        ["ClipFloor"],
        {"levels": 8},
        1.6,
    ),
    "counts_clipped": (
        "a = Mul (x, inverse) \n b = Mul (a, levels) \n c = Add (b, half) \n d = Floor (c)"
        "\n e = Max (d, zero) \n f = Min (levels, e) \n [f] y = Mul (f, step)",
        ["ClipFloor"],
        {"levels": 8},
        1.6,
    ),
    "rounded": (
        "a = Div (x, step) \n b = Round (a) \n c = Clip (b, zero, levels) \n [f] y = Mul (c, step)",
        ["ClipFloor"],
        {"levels": 8},
        1.6,
    ),
    "without_shift": (
        "a = Div (x, step) \n b = Floor (a) \n c = Clip (b, zero, levels) \n [f] y = Mul (c, step)",
        ["Add", "ClipFloor"],
        {"levels": 8},
        1.6,
    ),
    "height_is_not_width": (
        "a = Div (x, step) \n b = Round (a) \n c = Relu (b) \n d = Min (c, levels)"
        "\n [f] y = Mul (d, odd)",
        ["Mul", "ClipFloor"],
        {"levels": 8},
        8 * 0.93,
    ),
    "signed": (
        "a = Div (x, step) \n b = Round (a) \n c = Clip (b, lowest, levels)"
        "\n [f] y = Mul (c, step)",
        ["LeakyClipFloor"],
        {"levels": 8, "negative_levels": 8, "alpha": 1.0},
        1.6,
    ),
    "leaky": (
        "l = LeakyRelu <alpha = 0.25> (x) \n a = Div (l, lam) \n b = Clip (a, minus, one)"
        "\n c = Mul (b, levels) \n d = Add (c, half) \n e = Floor (d) \n f = Div (e, levels)"
        "\n [f] y = Mul (f, lam)",
        ["LeakyClipFloor"],
        {"levels": 8, "negative_levels": 8, "alpha": 0.25},
        1.6,
    ),
    "where": (
        "t = GreaterOrEqual (x, zero) \n a = Div (x, step) \n b = Round (a)"
        "\n c = Clip (b, zero, levels) \n d = Mul (c, step) \n g = Mul (x, half)"
        "\n h = Div (g, step) \n i = Round (h) \n j = Clip (i, lowest, zero) \n k = Mul (j, step)"
        "\n [f] y = Where (t, d, k)",
        ["LeakyClipFloor"],
        {"levels": 8, "negative_levels": 8, "alpha": 0.5},
        1.6,
    ),
    "sum": (
        "a = Div (x, step) \n b = Round (a) \n c = Clip (b, zero, levels) \n d = Mul (c, step)"
        "\n g = Mul (x, half) \n h = Div (g, step) \n i = Round (h)"
        "\n j = Clip (i, lowest, zero) \n k = Mul (j, step) \n [f] y = Add (k, d)",
        ["LeakyClipFloor"],
        {"levels": 8, "negative_levels": 8, "alpha": 0.5},
        1.6,
    ),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_is_recognised(written: tuple[str, list[str], dict[str, float], float]) -> None:
    nodes, ops, attributes, threshold = written
    result = rewrite(TEXT.replace("NODE", nodes), recognise_clip_floor)
    assert result.ops == ops
    assert result.attributes("f") == pytest.approx(attributes)
    assert result.operand("f", 1) == pytest.approx(threshold)
    assert "f" in [change.node for change in result.changes]
    assert result.again == []
    assert result.difference() < 1e-5


@pytest.mark.parametrize("name", ["qcfs", "leaky"])
def test_the_body_is_recognised_again(name: str) -> None:
    """A model is read with its functions inlined, so the canonical form must come back."""
    once = rewrite(TEXT.replace("NODE", WRITTEN[name][0]), recognise_clip_floor).after
    once.graph.CopyFrom(inline(once.graph, ANN_FUNCTIONS))
    del once.functions[:]
    for index, node in enumerate(once.graph.node):
        node.name = node.name or f"node_{index}"
    result = rewrite(once, fold_constants, recognise_clip_floor)
    assert result.ops == WRITTEN[name][1]
    assert result.difference() < 1e-6


REFUSED = {
    "no_bounds": "a = Div (x, step) \n b = Floor (a) \n [f] y = Mul (b, step)",
    "bounds_between_steps": (
        "a = Div (x, step) \n b = Round (a) \n c = Mul (b, step) \n [f] y = Clip (c, zero, odd)"
    ),
    "per_channel": (
        "a = Div (x, many) \n b = Floor (a) \n c = Mul (b, many) \n [f] y = Clip (c, zero, one)"
    ),
    "shift_before_leaky": (
        "l = LeakyRelu (x) \n a = Div (l, step) \n b = Floor (a) \n c = Clip (b, lowest, levels)"
        "\n [f] y = Mul (c, step)"
    ),
}


@pytest.mark.parametrize("nodes", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(nodes: str) -> None:
    assert rewrite(TEXT.replace("NODE", nodes), recognise_clip_floor).changes == []


def test_what_is_added_afterwards_stays() -> None:
    nodes = (
        "a = Round (x) \n [s] b = Clip (a, zero, levels) \n c = Add (b, half) \n y = Mul (c, many)"
    )
    result = rewrite(TEXT.replace("NODE", nodes), recognise_clip_floor)
    assert result.ops == ["ClipFloor", "Add", "Mul"]
    assert result.attributes("s") == {"levels": 8}
    assert result.difference() < 1e-6

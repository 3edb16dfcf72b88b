from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.recognise_relu import recognise_relu

TEXT = """
net (float[N,4] x) => (float[N,4] y)
    <float zero = {0}, float six = {6}, float one = {1}, float minus = {-1}, float[4] zeros = {0,
     0, 0, 0},
     float huge = {3.4028235e38}, float[4] mixed = {0, 1, 2, 3}>
{ NODE }
"""

# What is written, and what it means: operator, lower and upper bound.
WRITTEN = {
    "max": ("[f] y = Max (x, zero)", "Relu", []),
    "max_first": ("[f] y = Max (zero, x)", "Relu", []),
    "max_vector": ("[f] y = Max (x, zeros)", "Relu", []),
    "clip_open": ("[f] y = Clip (x, zero)", "Relu", []),
    "clip_huge": ("[f] y = Clip (x, zero, huge)", "Relu", []),
    "where": ("[t] t = Greater (x, zero) \n [f] y = Where (t, x, zero)", "Relu", []),
    "gate": (
        "[t] t = Greater (x, zero) \n [c] c = Cast <to = 1> (t) \n [f] y = Mul (c, x)",
        "Relu",
        [],
    ),
    "relu_min": ("[r] r = Relu (x) \n [f] y = Min (r, six)", "Clip", [0.0, 6.0]),
    "min_relu": ("[r] r = Min (x, six) \n [f] y = Relu (r)", "Clip", [0.0, 6.0]),
    "max_min": ("[r] r = Max (x, minus) \n [f] y = Min (six, r)", "Clip", [-1.0, 6.0]),
    "relu_clip": ("[r] r = Relu (x) \n [f] y = Clip (r, minus, six)", "Clip", [0.0, 6.0]),
    "relu_relu": ("[r] r = Relu (x) \n [f] y = Relu (r)", "Relu", []),
    "chain": (
        "[r] r = Relu (x) \n [q] q = Min (r, six) \n [f] y = Clip (q, minus, one)",
        "Clip",
        [0.0, 1.0],
    ),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_is_recognised(written: tuple[str, str, list[float]]) -> None:
    nodes, op, bounds = written
    result = rewrite(TEXT.replace("NODE", nodes), recognise_relu)
    assert result.ops == [op]
    assert [float(result.operand(result.names[0], i + 1)) for i in range(len(bounds))] == bounds
    assert result.changes
    assert result.again == []
    assert result.difference() == 0.0  # clipping does not round


REFUSED = {
    "relu": "[f] y = Relu (x)",
    "relu6": "[f] y = Clip (x, zero, six)",
    "per_element": "[f] y = Max (x, mixed)",
    "crossing": "[r] r = Max (x, six) \n [f] y = Min (r, zero)",
    "two_inputs": "[n] n = Neg (x) \n [f] y = Max (x, n)",
    "integers": "[i] i = Cast <to = 7> (x) \n [m] m = Max (i, izero) \n [f] y = Cast <to = 1> (m)",
}


@pytest.mark.parametrize("nodes", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(nodes: str) -> None:
    text = TEXT.replace("NODE", nodes).replace("<float zero", "<int64 izero = {0}, float zero")
    result = rewrite(text, recognise_relu)
    if nodes == REFUSED["crossing"]:
        assert result.ops == ["Clip", "Clip"]  # each alone is one; together their bounds cross
    else:
        assert result.changes == []
    assert result.difference() == 0.0  # clipping does not round


def test_an_activation_that_is_read_twice_stays() -> None:
    result = rewrite(
        TEXT.replace("NODE", "[r] r = Relu (x) \n [m] m = Min (r, six) \n [s] y = Add (r, m)"),
        recognise_relu,
    )
    assert result.ops == ["Relu", "Clip", "Add"]
    assert result.difference() == 0.0  # clipping does not round


@pytest.mark.parametrize(
    ("nodes", "name"),
    [
        ("[act] r = Relu (x) \n [bound] y = Min (r, six)", "act"),
        ("[bound] r = Min (x, six) \n [act] y = Relu (r)", "act"),
        ("[first] r = Relu (x) \n [last] y = Clip (r, minus, six)", "last"),
    ],
)
def test_the_activation_keeps_its_name(nodes: str, name: str) -> None:
    result = rewrite(TEXT.replace("NODE", nodes), recognise_relu)
    assert result.names == [name]
    assert len({change.node for change in result.changes}) == 2

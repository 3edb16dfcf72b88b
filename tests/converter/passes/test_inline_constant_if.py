from __future__ import annotations

import onnx
from tests.converter.passes.rewriting import rewrite

from onnx2snn.converter.passes.inline_constant_if import inline_constant_if

TEXT = """
net (float[N,4] x) => (float[N,4] y) <bool on = {COND}, float two = {2}>
{
    [before] a = Neg (x)
    [if] b = If (on) <
        then_branch = yes () => (float[N,4] t) { [mul] t = Mul (a, two) },
        else_branch = no () => (float[N,4] t) { [exp] e = Exp (a) [add] t = Add (e, a) }
    >
    [after] y = Relu (b)
}
"""


def test_the_branch_taken_stands_in_its_place() -> None:
    result = rewrite(TEXT.replace("COND", "1"), inline_constant_if)
    assert result.ops == ["Neg", "Mul", "Relu"]
    assert result.again == []
    assert result.difference() == 0.0  # the same operations
    result = rewrite(TEXT.replace("COND", "0"), inline_constant_if)
    assert result.ops == ["Neg", "Exp", "Add", "Relu"]
    assert result.difference() == 0.0  # the same operations


def test_an_output_keeps_its_name() -> None:
    text = (
        TEXT.replace("COND", "1").replace("[after] y = Relu (b)", "").replace(" b = If", " y = If")
    )
    result = rewrite(text, inline_constant_if)
    assert result.ops == ["Neg", "Mul"]
    assert result.after.graph.output[0].name == "y"
    assert result.difference() == 0.0  # the same operations


def test_nested() -> None:
    inner = """[in] t = If (on) <
        then_branch = p () => (float[N,4] t1) { [deep] t1 = Sub (a, two) },
        else_branch = q () => (float[N,4] t2) { [other] t2 = Exp (a) }>"""
    result = rewrite(
        TEXT.replace("COND", "1").replace("[mul] t = Mul (a, two)", inner), inline_constant_if
    )
    assert result.ops == ["Neg", "Sub", "Relu"]
    assert result.difference() == 0.0  # the same operations


def test_a_computed_condition_stays() -> None:
    text = TEXT.replace("bool on = {COND}, ", "").replace(
        "(float[N,4] x)", "(float[N,4] x, bool on)"
    )
    result = rewrite(text, inline_constant_if)
    assert result.changes == []
    onnx.checker.check_model(result.after)

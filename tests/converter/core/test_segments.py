"""Cutting a model at its neurons, and the constants of what lies between them."""

from __future__ import annotations

import numpy as np
import onnx
from tests.nets import BN_CONV, BRANCHES, RESIDUAL, build

from onnx2snn.converter.graph.segments import affine_constants, cut
from onnx2snn.ir.session import Session

X = {"x": np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)}


def names(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in model.graph.node]


def test_a_cut_keeps_what_is_needed_and_no_more() -> None:
    part = cut(build(RESIDUAL), {"x", "r0", "r1", "r2"}, ["s"])
    assert names(part) == ["conv2", "add"]
    assert {i.name for i in part.graph.input} == {"r0", "r1"}
    assert {t.name for t in part.graph.initializer} == {"w2", "b2"}


def test_a_cut_computes_the_same() -> None:
    whole = build(RESIDUAL)
    whole.graph.output.extend(type(whole.graph.output[0])(name=n) for n in ("r0", "r1", "s"))
    values = Session(whole, optimised=False).run(X)
    part = Session(cut(build(RESIDUAL), {"x", "r0", "r1"}, ["s"]), optimised=False)
    found = part.run({"r0": values["r0"], "r1": values["r1"]})
    np.testing.assert_array_equal(found["s"], values["s"])


def test_several_outputs_share_a_part() -> None:
    part = cut(build(BRANCHES), {"x", "r1", "r2"}, ["h1", "h2"])
    assert names(part) == ["conv1", "conv2"]
    assert [i.name for i in part.graph.input] == ["x"]


def test_a_boundary_computed_in_the_part_becomes_its_input() -> None:
    """``r0`` is needed, and computed by a node that is kept for another output."""
    part = cut(build(RESIDUAL), {"r0"}, ["h0", "h1"])
    assert {i.name for i in part.graph.input} == {"x", "r0"}
    Session(part)


def test_the_constant_of_a_padded_convolution_depends_on_the_position() -> None:
    """BN adds a constant before the padding: at the border fewer weights see it."""
    model = build(BN_CONV)
    constant = affine_constants(model, {"x": (1, 3, 8, 8)}, ["h", "n", "x"], X)
    exposed = build(BN_CONV)
    exposed.graph.output.append(type(exposed.graph.output[0])(name="h"))
    session = Session(exposed, optimised=False)
    zero = session.run({"x": np.zeros((1, 3, 8, 8), np.float32)})["h"]
    np.testing.assert_array_equal(constant["h"], zero)
    assert np.unique(zero[0, 0]).size > 1
    assert constant["n"].shape == (1, 3, 1, 1)  # the same everywhere: kept once per channel
    assert constant["x"].shape == ()
    # What is left of the segment is linear: the difference of two inputs passes without it.
    a, b = X["x"][:1], X["x"][1:]
    parts = [session.run({"x": v})["h"] - zero for v in (a, b, a + b)]
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], atol=1e-5)  # float32 sums of 27

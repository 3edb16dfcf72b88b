"""The layer-wise conversion error: what a layer adds, and what has added up."""

from __future__ import annotations

import pytest
from conversions import draw
from tests.nets import NETS, RESIDUAL, build

from onnx2snn.converter.convert import convert


def errors(text: str, levels: int, **knobs: object) -> dict[str, tuple[float, float]]:
    ann = build(text)
    options = {"preset": "ternary", "bias_correction": False, "levels": levels}
    _, report = convert(ann, calibration=draw(ann, 16), layer_errors=True, **{**options, **knobs})
    return {error.layer: (error.own, error.accumulated) for error in report.layer_errors}


def test_the_first_layer_has_nothing_before_it() -> None:
    """Its accumulated error is its own: the input of these nets lies on the encoder's grid."""
    first, *rest = errors(RESIDUAL, 15).values()
    assert first[0] == pytest.approx(first[1], rel=0.05)
    assert all(own < accumulated for own, accumulated in rest)


def test_own_errors_shrink_with_the_levels() -> None:
    coarse, fine = errors(RESIDUAL, 7), errors(RESIDUAL, 127, threshold_rule="maximum")
    assert all(fine[name][0] < coarse[name][0] / 4 for name in coarse)
    assert all(fine[name][1] < coarse[name][1] for name in coarse)


@pytest.mark.parametrize("name", ["mlp", "maxpool", "leaky", "branches", "nhwc"])
def test_every_layer_but_the_encoder_is_listed(name: str) -> None:
    found = errors(NETS[name], 63, threshold_rule="maximum")
    assert found
    assert all(0 <= own < 0.1 and accumulated < 0.3 for own, accumulated in found.values())


def test_nothing_is_measured_unasked() -> None:
    ann = build(RESIDUAL)
    _, report = convert(ann, calibration=draw(ann, 4))
    assert report.layer_errors == ()

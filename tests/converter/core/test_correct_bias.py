"""Sequential bias correction: the mean error of every layer shrinks, on calibration data alone."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import draw, run, run_settled
from tests.nets import CONV_BN_RELU, MLP, RESIDUAL, STAIRS, build

from onnx2snn.converter.convert import convert
from onnx2snn.ir.session import Session


@pytest.mark.parametrize("text", [MLP, CONV_BN_RELU, RESIDUAL])
def test_the_mean_error_of_the_outputs_shrinks(text: str) -> None:
    ann = build(text)
    feeds = draw(ann, 48)
    expected = Session(ann).run(feeds)["y"]
    errors = []
    for corrected in (False, True):
        model, _ = convert(
            ann, calibration=feeds, preset="ternary", levels=7, bias_correction=corrected
        )
        gap = run_settled(model, feeds)["y"] - expected
        errors.append(float(np.abs(gap.mean(axis=0)).max()))
    assert errors[1] < 0.5 * errors[0]


def test_rate_coding_is_corrected_at_its_own_timesteps() -> None:
    ann = build(RESIDUAL)
    feeds = draw(ann, 48)
    expected = Session(ann).run(feeds)["y"]
    errors = []
    for corrected in (False, True):
        model, _ = convert(
            ann, calibration=feeds, preset="rate", timesteps=16, bias_correction=corrected
        )
        gap = run(model, feeds, 16)["y"] - expected
        errors.append(float(np.abs(gap.mean(axis=0)).max()))
    assert errors[1] < 0.5 * errors[0]


def test_staircases_are_corrected_in_rate_coding_only() -> None:
    """At rest their steps are exact; rate coding is never at rest."""
    ann = build(STAIRS)
    feeds = draw(ann, 48)
    expected = Session(ann).run(feeds)["y"]
    errors: dict[str, list[float]] = {"rate": [], "ternary": []}
    for preset, gaps in errors.items():
        for corrected in (False, True):
            model, _ = convert(
                ann,
                calibration=feeds,
                preset=preset,
                timesteps=8,
                initial_potential=0.25,
                bias_correction=corrected,
            )
            gap = run(model, feeds, 8)["y"] - expected
            gaps.append(float(np.abs(gap.mean(axis=0)).max()))
    assert errors["rate"][1] < 0.5 * errors["rate"][0]
    assert errors["ternary"][1] == errors["ternary"][0]


def test_only_constants_of_neurons_change() -> None:
    ann = build(RESIDUAL)
    feeds = draw(ann, 16)
    plain, corrected = (
        convert(ann, calibration=feeds, preset="ternary", bias_correction=on)[0]
        for on in (False, True)
    )
    changed = {
        name
        for name, value in plain.initializers.items()
        if not np.array_equal(value, corrected.initializers[name])
    }
    assert changed == {f"{name}/current" for name in ("relu0", "relu1", "relu2")}


def test_labels_beside_the_data_change_nothing() -> None:
    ann = build(MLP)
    feeds = draw(ann, 16)
    labelled = {**feeds, "labels": np.arange(16)}
    first, _ = convert(ann, calibration=feeds, preset="ternary")
    second, _ = convert(ann, calibration=labelled, preset="ternary")
    assert first.to_bytes() == second.to_bytes()

"""Every preset of a method converts a small net, runs, and follows the ANN."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import draw, run
from tests.nets import CONV_BN_RELU, LEAKY, build

from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.convert import convert
from onnx2snn.converter.presets import Preset
from onnx2snn.converter.seed_presets import SEED_PRESETS
from onnx2snn.ir.session import Session

SIGNED = ("seed:leaky-clipfloor-bif", "seed:double-threshold")
"""Without memory: for signed activations only."""

LOOSE = {
    "seed:hard-reset": 0.8,  # it loses charge
    "seed:poisson": 0.8,  # it is noisy
    "seed:latency": 0.8,
    "seed:spike-count": 2.0,  # answers are counts of one quantum
    "seed:lif-stdp": 50.0,  # its answers are counts of spikes, on another scale
    "seed:clipfloor-if": 0.5,  # eight timesteps
    "seed:clipfloor-mbif": 0.5,
    "seed:leaky-clipfloor-bif": 0.5,
    "seed:double-threshold": 0.8,
}


@pytest.mark.parametrize("preset", SEED_PRESETS, ids=lambda preset: preset.name)
def test_it_converts_runs_and_follows_the_ann(preset: Preset) -> None:
    ann = build(LEAKY if preset.name in SIGNED else CONV_BN_RELU)
    feeds = draw(ann, 32)
    model, report = convert(ann, calibration=feeds, preset=preset)
    assert report.manifest.preset == preset.name
    expected = Session(ann).run(feeds)["y"]
    found = run(model, feeds, preset.timesteps)["y"]
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert error < LOOSE.get(preset.name, 0.3)


@pytest.mark.parametrize("preset", SEED_PRESETS, ids=lambda preset: preset.name)
def test_it_tells_its_source_and_equation(preset: Preset) -> None:
    assert preset.source
    assert preset.equation
    assert preset.summary


def test_levels_that_a_hold_was_made_for_stay_with_another_t() -> None:
    held = find_preset("seed:hold").replaced({"timesteps": 64})
    assert (held.levels, held.stimulus, held.hold) == (8, 8, 8)

"""The table of error kinds has a row per neuron, and a binary neuron takes nothing back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from error_kinds import HEADS, NEURONS, Case, cells, measure, neuron_preset
from tests.nets import MLP, build


def test_neurons_are_rate_coded() -> None:
    for neuron in NEURONS:
        preset = neuron_preset(neuron, 12)
        assert (preset.stimulus, preset.timesteps, preset.grid_levels) == (None, 12, 12)
    assert neuron_preset("BIF", 12).memory == "none"
    assert neuron_preset("mBIF", 12).negative_threshold == -1


def test_a_row(tmp_path: Path) -> None:
    onnx.save(build(MLP), tmp_path / "net.onnx")
    x = np.random.default_rng(0).uniform(-1, 1, (24, 6)).astype(np.float32)
    for part in ("calib", "test"):
        np.savez(tmp_path / f"net.{part}.npz", x=x)
    case = Case("ReLU", "net", ("IF",))
    found = measure(tmp_path, tmp_path, case, "IF", 8, 10)
    assert found.samples == 10
    row = cells(case, "IF", found)
    assert len(row) == len(HEADS)
    assert row[HEADS.index("residual -")] == "-"

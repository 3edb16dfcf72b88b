"""The noise is what it is called, and the tables have the rows they should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from noise import DENSITIES, NOISY, WINDOW, Experiment, frames_of, salt_and_pepper
from tests.nets import MLP, build


def test_salt_and_pepper_has_the_density_and_both_ends() -> None:
    rng = np.random.default_rng(0)
    images = np.full((10, 100, 100), 0.5, np.float32)
    noisy = salt_and_pepper(images, 0.3, (-1.0, 2.0), rng)
    for value, share in ((-1.0, 0.15), (2.0, 0.15), (0.5, 0.7)):
        # 100,000 draws: a standard deviation of at most 0.0015.
        assert (noisy == value).mean() == pytest.approx(share, abs=0.006)
    np.testing.assert_array_equal(salt_and_pepper(images, 0.0, (-1.0, 2.0), rng), images)


def test_two_of_five_timesteps_are_noisy_each_time_anew() -> None:
    images = np.full((2, 50), 0.5, np.float32)
    frames = np.stack(list(frames_of(images, 0.5, (0, 1), 20, np.random.default_rng(1))))
    noisy = (frames != images).any(axis=(1, 2))
    assert (noisy.reshape(-1, WINDOW).sum(axis=1) == NOISY).all()
    changed = frames[noisy]
    assert (changed[0] != changed[1]).any()


def test_tables(tmp_path: Path) -> None:
    onnx.save(build(MLP), tmp_path / "net.onnx")
    x = np.random.default_rng(0).uniform(0, 1, (24, 6)).astype(np.float32)
    (answers,) = onnx.reference.ReferenceEvaluator(build(MLP)).run(None, {"x": x})
    np.savez(tmp_path / "net.calib.npz", x=x)
    np.savez(tmp_path / "net.test.npz", x=x, labels=answers.argmax(1))
    experiment = Experiment("net", tmp_path, tmp_path, timesteps=10)
    changing = experiment.table(24, 0, changing=True)
    fixed = experiment.table(24, 0, changing=False)
    assert set(changing) - set(fixed) == {"ANN, mean of the frames", "ANN, sum of its answers"}
    assert {f"SNN, {name}" for name in ("current", "spike-count", "lif-stdp")} < set(fixed)
    assert all(len(row) == len(DENSITIES) for row in changing.values())
    assert all(changing[label][0] == 1.0 for label in changing if label.startswith("ANN"))

"""The grid of the inputs: found where there is one, never claimed where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from onnx2snn.converter.calibration.input_grid import FINE_LEVELS, InputGrid, find_grid

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (20, 3, 8, 8))
MEAN = np.array([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = np.array([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def encoded(grid: InputGrid, values: np.ndarray) -> np.ndarray:
    counts = np.round((values - grid.offset) / grid.quantum)
    return np.asarray(counts * grid.quantum + grid.offset)


CASES = {
    "bytes": (PIXELS.astype(np.float32), ()),
    "bytes / 255": ((PIXELS / 255).astype(np.float32), ()),
    "bytes / 127.5 - 1": ((PIXELS / 127.5 - 1).astype(np.float32), ()),
    "normalised per channel": (((PIXELS / 255 - MEAN) / STD).astype(np.float32), (1, 3, 1, 1)),
    "normalised, channels last": (
        np.moveaxis((PIXELS / 255 - MEAN) / STD, 1, -1).astype(np.float32),
        (1, 1, 1, 3),
    ),
    "int8": ((PIXELS - 128).astype(np.float32), ()),
    "two values": ((PIXELS > 99).astype(np.float32), ()),
    "one binary feature per column": ((PIXELS[:, :, 0, 0] > 99).astype(np.float32), ()),
    "sorted by brightness": (np.sort(PIXELS.reshape(-1, 4), axis=0).astype(np.float32) / 255, ()),
}


@pytest.mark.parametrize("name", list(CASES))
def test_values_on_a_grid_are_kept(name: str) -> None:
    values, shape = CASES[name]
    grid = find_grid(values)
    assert grid.lossless
    assert np.shape(grid.quantum) == shape
    assert grid.levels <= 255
    # The data was rounded to float32 after scaling: a few units of its last place.
    np.testing.assert_allclose(encoded(grid, values), values, rtol=0, atol=2e-6 * np.ptp(values))
    counts = np.round((values - grid.offset) / grid.quantum)
    assert counts.min() >= 0
    assert counts.max() <= grid.levels


def test_real_numbers_get_a_fine_signed_grid() -> None:
    values = RNG.normal(size=(50, 7)).astype(np.float32)
    grid = find_grid(values)
    assert (grid.lossless, grid.signed) == (False, True)
    assert np.abs(encoded(grid, values) - values).max() <= grid.quantum / 2
    reach = np.abs(values).max()
    assert reach * 2 <= grid.quantum * FINE_LEVELS <= reach * 4  # a power of two, twice the range


def test_one_value_off_the_grid_is_noticed_wherever_it_stands() -> None:
    values = np.repeat(PIXELS, 20, axis=0).astype(np.float32)
    values[333, 0, 0, 0] = 300.5  # more than the grid has points
    assert not find_grid(values).lossless


def test_a_constant_input_is_kept() -> None:
    values = np.full((6, 4), 0.3, np.float32)
    grid = find_grid(values)
    assert np.abs(encoded(grid, values) - values).max() <= np.max(grid.quantum) / 2
    assert np.isfinite(grid.quantum).all()
    assert (np.asarray(grid.quantum) > 0).all()
    assert find_grid(np.zeros((6, 4), np.float32)).quantum > 0


def test_a_small_offset_of_few_wide_values_is_kept() -> None:
    """Two values 10 000 apart: an offset of 3 is small against the step, not against the data."""
    grid = find_grid(np.array([[0, 3], [10000, 10003]], np.float32))
    values = np.array([[0, 3], [10000, 10003]], np.float32)
    np.testing.assert_array_equal(encoded(grid, values), values)

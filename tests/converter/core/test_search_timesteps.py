"""--max-loss: the smallest T that keeps the bound, on calibration data."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import draw, run
from tests.nets import FIXED_BATCH, UPSAMPLE, build

from onnx2snn.converter.calibration.search_timesteps import output_loss
from onnx2snn.converter.convert import convert
from onnx2snn.ir.errors import DataError
from onnx2snn.ir.session import Session


@pytest.mark.parametrize("text", [FIXED_BATCH, UPSAMPLE])
def test_the_bound_holds_and_fewer_timesteps_break_it(text: str) -> None:
    ann = build(text)
    feeds = draw(ann, 40)
    model, report = convert(ann, calibration=feeds, preset="ternary", max_loss=0.05)
    timesteps = model.manifest.timesteps
    tried = {point.timesteps: point.loss for point in report.search}
    assert tried[timesteps] <= 0.05
    assert all(loss > 0.05 for steps, loss in tried.items() if steps < timesteps)
    assert 1 < timesteps < 256
    default = Session(model.to_bytes()).run(feeds)
    np.testing.assert_array_equal(default["y"], run(model, feeds, timesteps)["y"])


def test_a_bound_out_of_reach_is_told() -> None:
    ann = build(UPSAMPLE)
    with pytest.raises(DataError, match="no T up to 256") as raised:
        convert(ann, calibration=draw(ann), preset="ternary", levels=3, max_loss=1e-6)
    assert raised.value.remedy


def test_the_loss_counts_changed_answers_or_relative_error() -> None:
    scores = np.array([[1, 2], [4, 3], [0, 1], [5, 0]], np.float32)
    swapped = scores.copy()
    swapped[1] = swapped[1, ::-1]
    assert output_loss({"y": scores}, {"y": scores * 3}) == 0.0
    assert output_loss({"y": scores}, {"y": swapped}) == 0.25
    image = np.ones((2, 1, 4, 4), np.float32)
    assert output_loss({"y": image}, {"y": image * 1.1}) == pytest.approx(0.1, rel=1e-5)

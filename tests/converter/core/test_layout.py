"""Nets that mix the samples of a batch get the scan layout, and still are what they were."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import draw, run, run_settled
from tests.nets import MLP, build

from onnx2snn.converter.convert import convert
from onnx2snn.converter.judging.layout import FIXED_BATCH, folds
from onnx2snn.ir.session import Session

CENTRED = """
centred (float[{batch},6] x) => (float[{batch},3] y)
    <float[6,8] w1, float[8] b1, float[8,3] w2, int64[1] rows = {{0}}>
{{
    [fc1] h = Gemm (x, w1, b1)
    [mean] m = ReduceMean <keepdims = 1> (h, rows)
    [centre] c = Sub (h, m)
    [relu1] r = Relu (c)
    [fc2] y = Gemm (r, w2)
}}
"""
TOTAL = """
total (float[N,6] x) => (float y) <float[6,8] w1, float[8] b1>
{
    [fc1] h = Gemm (x, w1, b1)
    [relu1] r = Relu (h)
    [total] y = ReduceSum <keepdims = 0> (r)
}
"""


@pytest.mark.parametrize("batch", ["1", "4", "N"])
@pytest.mark.parametrize("preset", ["graded", "ternary"])
def test_a_net_that_mixes_its_batch(batch: str, preset: str) -> None:
    ann = build(CENTRED.format(batch=batch))
    rows = 16 if batch == "N" else int(batch)  # values depend on the batch: that of the data
    x = np.concatenate([draw(build(MLP), 4)["x"]] * 4)
    model, _ = convert(ann, calibration={"x": x}, preset=preset)
    if batch != "1":
        assert model.manifest.layout == "scan"
        assert FIXED_BATCH.code in {finding.code for finding in model.manifest.findings}
    feeds = {"x": x[:rows]}
    spiking = run(model, feeds, 200)["y"]
    # Sums over time against one product, and sums in another order.
    np.testing.assert_allclose(spiking, run_settled(model, feeds)["y"], atol=1e-5)
    expected = Session(ann).run(feeds)["y"]
    grid = {"graded": 0.01, "ternary": 0.2}[preset]  # 2047 or 31 levels for values of up to 2
    np.testing.assert_allclose(spiking, expected, atol=grid)


def test_an_output_without_a_batch_axis_does_not_fold() -> None:
    ann = build(TOTAL)
    x = draw(ann)
    model, _ = convert(ann, calibration=x)
    assert model.manifest.layout == "scan"
    expected = Session(ann).run(x)["y"]
    np.testing.assert_allclose(run(model, x, 32)["y"], expected, rtol=2e-3)  # 2047 levels


def test_one_sample_is_enough_to_see_the_mixing() -> None:
    """Two copies of one sample would be their own mean."""
    ann = build(CENTRED.format(batch="N"))
    x = draw(ann, 1)
    model, _ = convert(ann, calibration=x)
    assert model.manifest.layout == "scan"
    assert folds(convert(build(MLP), calibration=x)[0], x)

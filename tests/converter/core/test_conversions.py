"""Whole conversions of the tiny nets: drop-in files that settle exactly at the quantised ANN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from conversions import draw, outcome, run, run_settled
from tests.nets import FIXED_BATCH, MAXPOOL, MLP, NETS, RESIDUAL, build

from onnx2snn.converter.check import check
from onnx2snn.converter.convert import convert
from onnx2snn.ir.errors import DataError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session

LARGEST_ERROR = {"graded": 2e-3, "fast": 2e-3, "ternary": 0.12}
"""Relative error in L2 at rest: 2047 levels a layer, or 31."""


@pytest.mark.parametrize("preset", list(LARGEST_ERROR))
@pytest.mark.parametrize("name", list(NETS))
def test_at_silence_it_is_the_quantised_ann(name: str, preset: str) -> None:
    found = outcome(NETS[name], preset)
    for output, settled in found.settled.items():
        # Sums over time against one product, in float32; a tie would show as a whole quantum.
        scale = max(1.0, float(np.abs(settled).max()))
        np.testing.assert_allclose(found.spiking[output], settled, atol=2e-6 * scale)
    assert found.relative_error(found.settled, found.expected) < LARGEST_ERROR[preset]


@pytest.mark.parametrize("name", ["mlp", "residual", "leaky"])
def test_rate_coding_approaches_the_ann(name: str) -> None:
    ann = build(NETS[name])
    feeds = draw(ann, 16)
    model, _ = convert(ann, calibration=feeds, preset="rate")
    expected = Session(ann, optimised=False).run(feeds)["y"]
    errors = []
    for timesteps in (8, 32, 128):
        gap = run(model, feeds, timesteps)["y"] - expected
        errors.append(float(np.linalg.norm(gap) / np.linalg.norm(expected)))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1  # thresholds are optimal for T = 32, so clipping stays


def test_a_finer_grid_is_closer_to_the_ann() -> None:
    errors = []
    for levels in (7, 127, 2047):
        found = outcome(RESIDUAL, "graded", levels=levels)
        errors.append(found.relative_error(found.settled, found.expected))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


@pytest.mark.parametrize("name", list(NETS))
def test_the_file_is_a_drop_in(name: str) -> None:
    ann = build(NETS[name])
    model, _ = convert(ann, calibration=draw(ann))
    source, result = Session(ann), Session(model.to_bytes())
    assert result.inputs == source.inputs  # timesteps has a default
    assert result.outputs == source.outputs
    feeds = draw(ann, 1)  # without timesteps: the default of the file
    for output, value in source.run(feeds).items():
        spiking = result.run(feeds)[output]
        assert (spiking.shape, spiking.dtype) == (value.shape, value.dtype)


def test_the_same_input_gives_the_same_bytes() -> None:
    ann = build(RESIDUAL)
    feeds = draw(ann)
    for preset in ("graded", "ternary", "rate"):
        first, _ = convert(ann, calibration=feeds, preset=preset)
        second, _ = convert(ann.SerializeToString(), calibration=feeds, preset=preset)
        assert first.to_bytes() == second.to_bytes()
        assert SpikingModel.from_bytes(first.to_bytes()).to_bytes() == first.to_bytes()


def test_without_data_it_says_so_and_is_seeded() -> None:
    ann = build(MLP)
    model, _ = convert(ann, seed=3)
    assert model.manifest.calibration.kind == "synthetic"
    assert "synthetic-calibration" in {finding.code for finding in model.manifest.findings}
    assert model.to_bytes() == convert(ann, seed=3)[0].to_bytes()
    assert model.to_bytes() != convert(ann, seed=4)[0].to_bytes()
    feeds = draw(ann)
    expected = Session(ann).run(feeds)["y"]
    gap = np.linalg.norm(run(model, feeds, 32)["y"] - expected) / np.linalg.norm(expected)
    assert gap < 0.01  # counters have room for 64 times what noise showed


def test_a_fixed_batch_of_one_becomes_any_batch() -> None:
    ann = build(FIXED_BATCH)
    feeds = draw(ann, 5)
    model, _ = convert(ann, calibration=feeds)
    session = Session(ann)
    rows = [session.run({"x": feeds["x"][i : i + 1]})["y"] for i in range(5)]
    found = run(model, feeds, 32)["y"]
    np.testing.assert_allclose(found, np.concatenate(rows), atol=0.02)  # 2047 levels of 11


def test_several_inputs_and_outputs() -> None:
    ann = build("""
    two (float[N,4] a, float[N,6] b) => (float[N,5] hidden, float[N,3] y)
        <float[4,5] w, float[6,5] v, float[5,3] u>
    {
        [left] l = MatMul (a, w)
        [right] r = MatMul (b, v)
        [add] s = Add (l, r)
        [relu] hidden = Relu (s)
        [head] y = MatMul (hidden, u)
    }""")
    feeds = draw(ann)
    model, _ = convert(ann, calibration=feeds)
    found, expected = run(model, feeds, 32), Session(ann).run(feeds)
    assert list(found) == ["hidden", "y"]
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=0.01)  # 2047 levels of 8
    with pytest.raises(DataError, match="2 inputs"):
        convert(ann, calibration=feeds["a"])


def test_an_input_may_be_called_timesteps() -> None:
    ann = build(MLP.replace(" x)", " timesteps)").replace("(x,", "(timesteps,"))
    feeds = draw(ann)
    model, _ = convert(ann, calibration=feeds)
    assert model.inputs == ("timesteps",)
    np.testing.assert_allclose(run(model, feeds, 32)["y"], Session(ann).run(feeds)["y"], atol=0.01)


@pytest.mark.parametrize("pooling", ["membrane", "increment"])
@pytest.mark.parametrize("alphabet", ["graded", "ternary"])
def test_max_pools_are_exact_wherever_they_stand(pooling: str, alphabet: str) -> None:
    ann = build(MAXPOOL)
    feeds = draw(ann)
    preset = {"graded": "graded", "ternary": "ternary"}[alphabet]
    model, _ = convert(ann, calibration=feeds, preset=preset, pooling=pooling)
    ops = {node.op_type for node in model.plain.graph.node}
    assert {"membrane": "MembraneMaxPool", "increment": "IncrementMaxPool"}[pooling] in ops
    found = run(model, feeds, 200)["y"]
    np.testing.assert_allclose(found, run_settled(model, feeds)["y"], atol=4e-5)  # values of 20


@pytest.mark.parametrize("name", list(NETS))
def test_check_agrees_with_convert(name: str) -> None:
    report = check(build(NETS[name]))
    model, _ = convert(build(NETS[name]), calibration=draw(build(NETS[name])))
    assert report.convertible
    told = {node.node: node.fate for node in report.nodes}
    made = {node.node: node.fate for node in model.manifest.nodes}
    assert {k: v for k, v in made.items() if v not in ("input", "encoder")}.items() <= told.items()


def test_progress_and_seconds_name_the_stages() -> None:
    seen: list[tuple[str, float]] = []
    _, report = convert(build(MLP), progress=lambda stage, share: seen.append((stage, share)))
    assert [stage for stage, share in seen if share == 0.0] == list(report.seconds)
    assert report.neuron_layers == 2  # the input's encoder and the ReLU
    assert report.neurons == 6 + 8


def test_nothing_is_written_into_the_callers_model(tmp_path: Path) -> None:
    ann = build(RESIDUAL)
    before = ann.SerializeToString(deterministic=True)
    convert(ann, calibration=draw(ann), preset="ternary")
    assert ann.SerializeToString(deterministic=True) == before
    path = tmp_path / "net.onnx"
    onnx.save(ann, path)
    convert(path)
    assert [item.name for item in tmp_path.iterdir()] == ["net.onnx"]

"""Diagnosis: one planted error is named; with all errors switched off the network is the ANN."""

from __future__ import annotations

import numpy as np
import pytest
from tests.nets import MAXPOOL, NETS, STAIRS, build

from onnx2snn.converter.convert import convert
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.session import Session
from onnx2snn.runtime import diagnose, simulate, write_diagnosis
from onnx2snn.runtime.diagnose.kinds import KINDS
from onnx2snn.runtime.diagnose.references import Bounds

EXCITED = """
net (float[N,4] x) => (float[N,3] y) <float[4,8] w1, float[8,6] w2, float[6,3] w3>
{
  h1 = MatMul (x, w1)  [first] r1 = Relu (h1)
  h2 = MatMul (r1, w2) [second] r2 = Relu (h2)
  y = MatMul (r2, w3)
}
"""
"""All weights are made positive: every potential only rises, and no spike is premature."""

INHIBITED = """
net (float[N,2] x) => (float[N,2] y)
    <float[2,2] take_u = {1, 0, 0, 0}, float[2,1] take_v = {0, 1}, float[1,1] one = {1},
     float[1] late = {-0.5}, float[1,2] inhibit = {-6, 0}, float[2,2] out = {1, 0, 0, 1}>
{
  hv = MatMul (x, take_v)   [slow] v = Relu (hv)
  hr = Gemm (v, one, late)  [delayed] r = Relu (hr)
  hu = MatMul (x, take_u)   hi = MatMul (r, inhibit)
  z = Add (hu, hi)          [excited] e = Relu (z)
  y = MatMul (e, out)
}
"""
"""The excitation of the last layer is there at once, its inhibition after two layers."""


def excited():
    model = build(EXCITED)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(_positive(tensor))
    rng = np.random.default_rng(0)
    return model, rng.integers(1, 65, (24, 4)).astype(np.float32) / 64


def _positive(tensor):
    from onnx import numpy_helper

    return numpy_helper.from_array(np.abs(numpy_helper.to_array(tensor)), tensor.name)


def inhibited():
    model = build(INHIBITED)
    data = np.array([[1, 0], [1, 1], [0.5, 0], [1, 1], [0.75, 1], [1, 0.875]], np.float32)
    return model, data


def diagnosed(made, preset: str, timesteps: int, samples: int | None = None, **knobs):
    ann, data = made
    knobs = {"threshold_rule": "maximum", "bias_correction": False} | knobs
    model, _ = convert(ann, calibration=data, preset=preset, timesteps=timesteps, **knobs)
    return model, diagnose(model, ann, data[:samples])


@pytest.mark.parametrize(
    ("kind", "preset", "timesteps", "knobs"),
    [
        ("clipping", "graded", 40, {"margin": 0.4, "headroom": 1}),
        ("quantisation", "graded", 40, {"levels": 3}),
        ("residual-positive", "ternary", 8, {"stimulus": 1, "levels": 31, "headroom": 4}),
        ("hard-reset", "rate", 64, {"reset": "hard"}),
    ],
)
def test_an_error_of_excitation_is_named(
    kind: str, preset: str, timesteps: int, knobs: dict[str, object]
) -> None:
    _, found = diagnosed(excited(), preset, timesteps, **knobs)
    assert found.worst_kind == kind
    assert found.errors[0].removed > 0.5 * found.relative_error
    assert found.errors[0].advice == found.advice
    assert found.layers[1].worst == kind  # the first layer behind the input encoder
    assert found.rest_error < 1e-5


def test_pending_negative_spikes_are_named() -> None:
    """At T = 14 the inhibition has come, and the last layer is still taking spikes back."""
    model, found = diagnosed(inhibited(), "ternary", 14, stimulus=1, levels=15)
    assert found.worst_kind == "residual-negative"
    assert found.worst_layer == "excited"
    assert "more timesteps" in found.advice
    ann, data = inhibited()
    later = diagnose(model, ann, data, timesteps=60)
    assert "residual-negative" not in {row.kind for row in later.errors}


def test_premature_spikes_are_named() -> None:
    _, found = diagnosed(inhibited(), "rate", 60, stimulus=1, levels=15)
    assert found.worst_kind == "premature"
    assert found.worst_layer == "excited"
    assert "hold" in found.advice
    _, held = diagnosed(inhibited(), "rate", 60, stimulus=1, levels=15, hold=15)
    assert "premature" not in {row.kind for row in held.errors}


def test_a_gate_is_named() -> None:
    ann = build(MAXPOOL)
    shape = [dim.dim_value for dim in ann.graph.input[0].type.tensor_type.shape.dim[1:]]
    data = np.random.default_rng(3).integers(-64, 65, (12, *shape)).astype(np.float32) / 64
    _, found = diagnosed((ann, data), "graded", 60, pooling="gated")
    assert found.worst_kind == "gating"
    assert "pooling" in found.advice
    blamed = next(layer for layer in found.layers if layer.name == found.worst_layer)
    assert blamed.op == "GatedMaxPool"
    _, exact = diagnosed((ann, data), "graded", 60, pooling="membrane")
    assert "gating" not in {row.kind for row in exact.errors}


CASES = [
    *[(name, "ternary") for name in ("residual", "maxpool", "depthwise_relu6", "nhwc")],
    *[("maxpool", "rate"), ("leaky", "rate"), ("mlp", "graded")],
]


@pytest.mark.parametrize(("name", "preset"), CASES)
def test_with_all_errors_off_it_is_the_ann(name: str, preset: str) -> None:
    ann = build(NETS[name])
    shape = [dim.dim_value for dim in ann.graph.input[0].type.tensor_type.shape.dim[1:]]
    data = np.random.default_rng(1).integers(-64, 65, (6, *shape)).astype(np.float32) / 64
    model, _ = convert(ann, calibration=data, preset=preset, timesteps=8, bias_correction=False)
    found = diagnose(model, ann, data, each_layer=False)
    assert found.rest_error < 1e-4  # sums in float32, once over time
    spiking = simulate(model, data, timesteps=8).outputs
    expected = Session(ann).run({ann.graph.input[0].name: data})
    gap = np.concatenate([(spiking[key] - expected[key]).reshape(-1) for key in expected])
    norm = np.concatenate([expected[key].reshape(-1) for key in expected])
    measured = np.linalg.norm(gap) / np.linalg.norm(norm)
    assert found.relative_error == pytest.approx(measured, rel=1e-5)
    assert {row.kind for row in found.errors} <= {kind.name for kind in KINDS}
    assert [layer.reference for layer in found.layers].count("ann") >= 1


def test_steps_of_the_ann_are_no_error() -> None:
    """QCFS: the neuron has the activation's own steps and bound."""
    ann = build(STAIRS)
    data = np.random.default_rng(2).integers(-64, 65, (32, 3)).astype(np.float32) / 64
    model, _ = convert(ann, calibration=data, preset="ternary", timesteps=60, stimulus=4, levels=4)
    found = diagnose(model, ann, data)
    assert not {"quantisation", "clipping"} & {row.kind for row in found.errors}
    assert found.relative_error < 1e-5
    assert found.worst_kind is None or found.errors[0].removed < 1e-5


def test_the_scan_layout_is_refused() -> None:
    ann = build(NETS["mlp"])
    data = np.ones((2, *[d.dim_value for d in ann.graph.input[0].type.tensor_type.shape.dim[1:]]))
    model, _ = convert(ann, calibration=data.astype(np.float32))
    from onnx2snn.ir.derive.scan import to_scan

    with pytest.raises(SimulationError, match="scan"):
        diagnose(to_scan(model), ann, data.astype(np.float32))


def test_the_page_says_what_the_numbers_say(tmp_path) -> None:
    model, found = diagnosed(inhibited(), "rate", 60, stimulus=1, levels=15)
    page = write_diagnosis(tmp_path / "found.html", model=model, diagnosis=found)
    text = page.read_text(encoding="utf-8")
    assert "premature" in text
    assert "excited" in text
    assert (tmp_path / "found.json").read_text().count('"kind"') == len(found.errors)


def test_bounds_of_a_lone_quantum_stay_arrays() -> None:
    # numpy makes a scalar of two arrays without axes, and onnxruntime takes no scalars.
    alone = Bounds(np.full((), False), on_grid=True)
    both = alone | Bounds(np.full((), True), on_grid=True)
    assert isinstance(both.free, np.ndarray)
    assert both.free
    assert both.on_grid

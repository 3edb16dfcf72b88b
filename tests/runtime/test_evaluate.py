"""Evaluation: every figure against a plain, slow way to get it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from spiking_nets import ann, conv_net, images

from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session
from onnx2snn.runtime.evaluation.evaluate import curve_points, evaluate
from onnx2snn.runtime.evaluation.results import Evaluation
from onnx2snn.runtime.outcomes.scores import compare
from onnx2snn.runtime.runs.early_exit import EarlyExit
from onnx2snn.runtime.runs.simulate import simulate

MODEL, SAMPLES = conv_net(), 12
LABELS = np.arange(SAMPLES) % 4


def evaluated(model: SpikingModel = MODEL, **options: object) -> Evaluation:
    options = {"timesteps": (1, 2, 5, 12), "backend": "onnxruntime", **options}
    return evaluate(model, ann(MODEL), images(SAMPLES), LABELS, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result() -> Evaluation:
    return evaluated()


def test_rows_of_the_ann_and_the_quantised_ann(result: Evaluation) -> None:
    source = Session(ann(MODEL)).run(images(SAMPLES))
    target = Session(settle(MODEL)).run(images(SAMPLES))
    assert result.ann.accuracy == np.mean(source["label"] == LABELS)
    assert result.ann.samples == SAMPLES
    assert result.ptq.agreement == np.mean(source["label"] == target["label"])
    expected = compare({"p": target["probabilities"]}, {"p": source["probabilities"]})
    assert result.ptq.relative_error == pytest.approx(expected.relative_error)
    # conv1 16 x 16 taps x 2 x 4, conv2 7 x 7 taps x 2 x 4 of a group, gemm 16
    assert result.ann.macs_per_sample == 16 * 16 * 8 + 7 * 7 * 8 + 16


def test_every_point_is_a_run_of_its_own(result: Evaluation) -> None:
    """With S = 1 the outputs after t timesteps are those of a run of t timesteps."""
    source = Session(ann(MODEL)).run(images(SAMPLES))
    target = Session(settle(MODEL)).run(images(SAMPLES))
    for point in result.curve:
        run = simulate(MODEL, images(SAMPLES), timesteps=point.timesteps, record="counts")
        assert point.accuracy == np.mean(run.outputs["label"] == LABELS)
        assert point.agreement == np.mean(run.outputs["label"] == source["label"])
        assert point.ptq_agreement == np.mean(run.outputs["label"] == target["label"])
        spiking = [run.layers[row.name].events.sum() for row in result.layers]
        assert point.events_per_sample == pytest.approx(sum(spiking) / SAMPLES)
        assert point.events_per_neuron == pytest.approx(sum(spiking) / SAMPLES / result.neurons)


def test_layers_add_up(result: Evaluation) -> None:
    assert [row.name for row in result.layers] == ["encoder", "relu1", "relu2"]
    assert [row.neurons for row in result.layers] == [72, 36, 36]
    assert result.neurons == 144
    events = sum(row.events_per_neuron * row.neurons for row in result.layers)
    assert events == pytest.approx(result.curve[-1].events_per_sample)
    for row in result.layers:
        assert len(row.events_by_timestep) == result.timesteps
        assert sum(row.events_by_timestep) == pytest.approx(row.events_per_neuron)
        assert 0 < row.threshold_min <= row.threshold_mean <= row.threshold_max
        assert 0 <= row.negative_share <= 1
        assert row.correlation == pytest.approx(1, abs=1e-6)  # settled: the same values
        assert 0 <= row.at_bound <= 1


def test_synaptic_operations_by_hand(result: Evaluation) -> None:
    """Each event of relu2 meets the 4 weights of the Gemm behind the average."""
    rows = {row.name: row for row in result.layers}
    gemm = 4 * rows["relu2"].events_per_neuron * rows["relu2"].neurons
    inner = sum(row.synaptic_operations for row in result.layers)
    assert result.curve[-1].synaptic_operations == pytest.approx(inner + gemm)
    assert rows["encoder"].synaptic_operations == 0  # direct current is no synapse
    conv1 = simulate(MODEL, images(SAMPLES), timesteps=12, record="spikes").layers["encoder"]
    taps = np.convolve(np.ones(6), np.ones(3), "same")
    reached = (np.abs(conv1.spikes).astype(bool) * np.outer(taps, taps)).sum() * 4 / SAMPLES
    pooled = simulate(MODEL, images(SAMPLES), timesteps=12, record="counts").layers["pool"]
    expected = reached + pooled.events.sum() / SAMPLES
    assert rows["relu1"].synaptic_operations == pytest.approx(expected)


def test_energy_is_consistent(result: Evaluation) -> None:
    last = result.curve[-1]
    for profile in result.energy:
        assert "estimated" in profile.source
        assert profile.snn == pytest.approx(profile.synaptic + profile.neurons + profile.analog)
        assert profile.analog == 0
        assert last.energy_joules[profile.name] == profile.snn
    fp32 = result.energy[0]
    assert fp32.ann == pytest.approx(result.ann.macs_per_sample * 4.6e-12)
    assert fp32.neurons == pytest.approx(144 * 12 * 0.9e-12)
    assert fp32.synaptic == pytest.approx(last.synaptic_operations * 0.9e-12)


def test_silence(result: Evaluation) -> None:
    events = np.sum([np.array(row.events_by_timestep) * row.neurons for row in result.layers], 0)
    assert result.silent_at == int(np.flatnonzero(events)[-1]) + 2
    assert evaluated(timesteps=(1, 2)).silent_at is None


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (MODEL, {"memory": "60KiB"}),
        (MODEL, {"memory": "30KiB"}),
        (to_scan(MODEL), {}),
        (MODEL, {"threads": 1}),
    ],
    ids=["chunks", "steps", "scan", "one thread"],
)
def test_the_way_it_is_run_does_not_matter(
    result: Evaluation, model: SpikingModel, options: dict
) -> None:
    other = evaluated(model, **options)
    for point, again in zip(result.curve, other.curve, strict=True):
        for name, value in point:
            assert getattr(again, name) == pytest.approx(value)
    for row, again in zip(result.layers, other.layers, strict=True):
        for name, value in row:
            if name == "correlation":  # of the first chunk only
                assert getattr(again, name) == pytest.approx(value, abs=1e-6)
            elif name in ("name", "kind"):
                assert getattr(again, name) == value
            else:
                assert getattr(again, name) == pytest.approx(value)
    assert [p.model_dump() for p in other.energy] == [
        pytest.approx(p.model_dump()) for p in result.energy
    ]
    assert other.silent_at == result.silent_at


@pytest.mark.parametrize("kind", ["SignedIntegrateFire", "IntegrateFire"])
def test_rate_coded_nets(kind: str) -> None:
    model = conv_net(kind, stimulus=None)
    result = evaluated(model, timesteps=16)
    assert result.stimulus_steps == result.timesteps == 16
    assert [point.timesteps for point in result.curve] == [1, 2, 4, 8, 16]
    assert result.curve[-1].relative_error < result.curve[0].relative_error


def test_without_labels() -> None:
    result = evaluate(MODEL, ann(MODEL), images(3), timesteps=4)
    assert result.ann.accuracy is None
    assert result.curve[-1].accuracy is None
    assert result.curve[-1].agreement is not None
    assert Evaluation.model_validate(json.loads(result.model_dump_json())) == result


def test_a_fixed_batch_of_the_ann() -> None:
    source = ann(MODEL)
    source.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    single = evaluate(MODEL, source, images(SAMPLES), LABELS, timesteps=(1, 2, 5, 12))
    whole = evaluated()
    assert single.ann.accuracy == whole.ann.accuracy
    assert single.ann.macs_per_sample == whole.ann.macs_per_sample
    assert [p.agreement for p in single.curve] == [p.agreement for p in whole.curve]


def test_the_row_of_early_exit_is_that_of_a_run_with_it() -> None:
    rule = EarlyExit("margin", 0.3, every=2)
    row = evaluated(timesteps=(1, 9), early_exit=rule).early_exit
    run = simulate(MODEL, images(SAMPLES), timesteps=9, record="counts", early_exit=rule)
    source = Session(ann(MODEL)).run(images(SAMPLES))
    assert row is not None
    assert run.exits is not None
    assert row.exits == tuple(np.bincount(run.exits - 1, minlength=9))
    assert row.mean_timesteps == run.exits.mean()
    assert 2 <= row.mean_timesteps < 9
    assert row.accuracy == np.mean(run.outputs["label"] == LABELS)
    assert row.agreement == np.mean(run.outputs["label"] == source["label"])
    spiking = sum(run.layers[name].events.sum() for name in ("encoder", "relu1", "relu2"))
    assert row.events_per_sample == pytest.approx(spiking / SAMPLES)


def test_points_of_the_curve() -> None:
    assert curve_points(16) == (1, 2, 4, 8, 16)
    assert curve_points(12) == (1, 2, 4, 8, 12)
    assert curve_points(100) == (1, 2, 4, 8, 16, 32, 64, 100)
    assert curve_points([5, 1, 5]) == (1, 5)
    for wrong in (0, [], [0, 1]):
        with pytest.raises(SimulationError):
            curve_points(wrong)

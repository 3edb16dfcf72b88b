"""The backend that runs when none is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from spiking_nets import conv_net, images

from onnx2snn.ir import stored_weights
from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.stored_weights import WeightFile
from onnx2snn.runtime.backends.choice import chosen
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.native.library import why_not_built
from onnx2snn.runtime.runs.simulate import simulate
from onnx2snn.runtime.runs.simulator import Simulator

BUILT = pytest.mark.skipif(bool(why_not_built()), reason=why_not_built() or "built")


@BUILT
def test_the_event_engine_runs_what_it_speeds_up() -> None:
    model, x = conv_net(), images(2)
    assert chosen("auto", model) == chosen("auto", model, "counts") == "event"
    assert simulate(model, x, timesteps=4, record="counts").backend == "event"


@BUILT
def test_spike_trains_and_the_scan_layout_run_in_onnxruntime() -> None:
    model, x = conv_net(), images(2)
    assert simulate(model, x, timesteps=4, record="spikes").backend == "onnxruntime"
    assert simulate(to_scan(model), x, timesteps=4).backend == "onnxruntime"


@BUILT
def test_networks_whose_weights_lie_in_a_file_run_in_onnxruntime(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before and after they are stored: both places that choose then agree."""
    model = conv_net()
    monkeypatch.setattr(stored_weights, "LEAST_TOTAL", 1)
    monkeypatch.setattr(stored_weights, "LEAST_TENSOR", 1)
    weights = WeightFile()
    stored = SpikingModel(weights.store(model.light), weights)
    assert stored_weights.has_stored(stored.light)
    assert chosen("auto", model) == chosen("auto", stored) == "onnxruntime"


def test_without_the_library_everything_runs_in_onnxruntime(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(EventBackend, "why_unavailable", lambda self: "not built")
    model, x = conv_net(), images(2)
    assert chosen("auto", model) == "onnxruntime"
    run = simulate(model, x, timesteps=4, record="counts")
    assert run.backend == "onnxruntime"
    expected = simulate(model, x, timesteps=4, backend="reference").outputs["label"]
    np.testing.assert_array_equal(run.outputs["label"], expected)
    assert Simulator(model).step(x)["label"].shape == (2,)


@pytest.mark.parametrize("name", ["reference", "onnxruntime", "event-int8"])
def test_what_is_asked_for_runs(name: str) -> None:
    assert chosen(name, conv_net(), "counts") == name

"""A network whose weights lie in a file while it is converted and run: the same spiking network."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.nets import BN_CONV, RESIDUAL, build

from onnx2snn.converter import convert
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir import stored_weights
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime import evaluate, simulate

X = np.random.default_rng(0).uniform(0, 1, (4, 3, 8, 8)).astype(np.float32)


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}


@pytest.mark.parametrize("text", [BN_CONV, RESIDUAL], ids=["bn_conv", "residual"])
@pytest.mark.parametrize("preset", ["graded", "rate"])
def test_the_same_spiking_network(
    text: str, preset: str, store_all: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = build(text)
    stored, _ = convert(ann, calibration=X, preset=preset, timesteps=4)
    assert len(os.listdir(store_all)) == 1  # its own, no other
    monkeypatch.setattr(stored_weights, "LEAST_TOTAL", 2**40)
    usual, _ = convert(ann, calibration=X, preset=preset, timesteps=4)
    assert [n.name for n in stored.proto.graph.node] == [n.name for n in usual.proto.graph.node]
    expected, found = constants(usual.proto), constants(stored.proto)
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        # Thresholds are measured: sums may be taken in another order.
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    assert SpikingModel.from_bytes(stored.to_bytes()).manifest == stored.manifest
    del stored
    gc.collect()
    assert not os.listdir(store_all)


def test_reading_alone_gives_whole_models(store_all: Path) -> None:
    model = read_model(build(RESIDUAL)).model
    assert not stored_weights.has_stored(model)
    assert not os.listdir(store_all)
    expected = constants(build(RESIDUAL))
    for name, values in constants(model).items():
        np.testing.assert_array_equal(values, expected[name])


def test_runs_and_accounts_are_the_same(store_all: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = build(RESIDUAL)
    monkeypatch.setattr(stored_weights, "LEAST_TOTAL", 2**40)
    model, _ = convert(ann, calibration=X, timesteps=4)
    canonical = read_model(ann).model
    runs = []
    for least in (2**40, 1):
        monkeypatch.setattr(stored_weights, "LEAST_TOTAL", least)
        run = simulate(model, X, backend="reference", record="counts")
        runs.append((run, evaluate(model, canonical, X, timesteps=[4])))
    for name, values in runs[0][0].outputs.items():
        np.testing.assert_array_equal(runs[1][0].outputs[name], values)
    assert runs[0][0].events == runs[1][0].events
    usual, stored = (run[1].model_dump(exclude={"seconds"}) for run in runs)
    assert usual.keys() == stored.keys()
    assert not os.listdir(store_all)

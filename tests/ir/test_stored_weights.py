"""Weights in a file: the same values, the same results, nothing left behind."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from onnx2snn.ir.session import Session
from onnx2snn.ir.stored_weights import WeightFile, has_stored, is_stored, tensor_values, whole

NET = """<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 64] x) => (float[N, 32] y) { y = Gemm (x, w, b) }"""


def net() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    model = parser.parse_model(NET)
    model.metadata_props.add(key="kept", value="yes")
    for name, shape in (("w", (64, 32)), ("b", (32,))):
        values = rng.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model


@pytest.fixture
def store_all(store_from: Callable[[int], Path]) -> Path:
    """Store every weight of 1 kB and more, in a folder of the test's."""
    return store_from(1024)


def test_a_stored_model_computes_the_same_and_becomes_whole_again(store_all: Path) -> None:
    model, weights = net(), WeightFile()
    light = weights.store(model)
    assert [t.name for t in light.graph.initializer if is_stored(t)] == ["w"]
    assert len(light.SerializeToString()) < 2048 < len(model.SerializeToString())
    x = {"x": np.random.default_rng(1).normal(size=(3, 64)).astype(np.float32)}
    # Packed weights, which stored ones are not, may be summed in another order.
    np.testing.assert_allclose(Session(light).run(x)["y"], Session(model).run(x)["y"], rtol=1e-5)
    again = whole(light)
    assert not has_stored(again)
    assert again.metadata_props == model.metadata_props
    assert again.graph.input == model.graph.input
    expected = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for tensor in again.graph.initializer:
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), expected[tensor.name])
    assert weights.store(light) is light


def test_mapped_values_are_read_only_and_several_share_a_file(store_all: Path) -> None:
    rng = np.random.default_rng(0)
    made = {str(i): rng.normal(size=(17, 31)).astype(np.float32).T for i in range(3)}
    weights = WeightFile()
    stored = [weights.add(name, values) for name, values in made.items()]
    assert len(os.listdir(store_all)) == 1
    for tensor in stored:
        values = tensor_values(tensor)
        np.testing.assert_array_equal(values, made[tensor.name])
        with pytest.raises(ValueError, match="read-only"):
            values[0, 0] = 1


def test_the_file_goes_with_its_owner(store_all: Path) -> None:
    weights = WeightFile()
    light = weights.store(net())
    assert os.listdir(store_all)
    del weights
    gc.collect()
    assert has_stored(light)
    assert not os.listdir(store_all)


def test_without_a_disk_weights_stay_in_the_model(
    store_all: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(store_all / "missing"))
    model, values = net(), np.ones((64, 64), np.float32)
    assert WeightFile().store(model) is model
    assert not is_stored(WeightFile().add("w", values))


def test_small_models_are_left_alone() -> None:
    model = net()
    assert WeightFile().store(model) is model

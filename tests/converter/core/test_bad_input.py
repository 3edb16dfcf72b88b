"""Bad models and bad data: a clear error with code, place and remedy, nothing half done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from conversions import draw
from tests.nets import MLP, RESIDUAL, build

from onnx2snn.converter.check import check
from onnx2snn.converter.convert import convert
from onnx2snn.ir.errors import DataError, InvalidModelError, ModelError, UnsupportedOpError

GOOD = build(MLP)


def with_weight(name: str, value: float) -> onnx.ModelProto:
    model = build(MLP)
    tensor = next(t for t in model.graph.initializer if t.name == name)
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] = value
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
    return model


def without_external_data(folder: Path) -> Path:
    path = folder / "net.onnx"
    onnx.save(build(MLP), path, save_as_external_data=True, location="weights", size_threshold=0)
    (folder / "weights").unlink()
    return path


def with_twins() -> onnx.ModelProto:
    model = build(MLP)
    model.graph.node[1].output[0] = model.graph.node[0].output[0]
    return model


CASES = {
    "empty": b"",
    "text": b"this is no model",
    "truncated": build(RESIDUAL).SerializeToString()[:-40],
    "NaN in weights": with_weight("w1", np.nan),
    "infinity in weights": with_weight("w2", np.inf),
    "the same name twice": with_twins(),
    "no such file": Path("no/such/model.onnx"),
    "zero-size": build(MLP.replace("[N,6]", "[N,0]").replace("[6,8]", "[0,8]")),
}


@pytest.mark.parametrize("name", list(CASES))
def test_bad_models(name: str) -> None:
    with pytest.raises(ModelError) as raised:
        convert(CASES[name])
    error = raised.value
    assert error.code
    assert error.remedy or all(finding.remedy for finding in error.findings)
    report = check(CASES[name])
    assert not report.convertible
    assert report.findings


def test_missing_external_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match="weights"):
        convert(without_external_data(tmp_path))


def test_weights_that_are_not_finite_are_named() -> None:
    with pytest.raises(InvalidModelError, match="'w1' holds NaN"):
        convert(CASES["NaN in weights"])


def test_random_operators_are_refused() -> None:
    text = MLP.replace(
        "[relu1] r = Relu (h)",
        "[noise] z = RandomNormalLike (h) [sum] s = Add (h, z) [relu1] r = Relu (s)",
    )
    with pytest.raises(UnsupportedOpError) as raised:
        convert(build(text))
    assert [finding.node for finding in raised.value.findings] == ["noise"]


def test_a_dropout_that_still_drops_is_refused() -> None:
    declared = "float[3] b2, float ratio = {0.5}, bool on = {1}>"
    text = MLP.replace("float[3] b2>", declared).replace(
        "[relu1] r = Relu (h)", "[drop] d = Dropout (h, ratio, on) [relu1] r = Relu (d)"
    )
    with pytest.raises(UnsupportedOpError) as raised:
        convert(build(text))
    assert [finding.node for finding in raised.value.findings] == ["drop"]
    convert(build(text.replace("bool on = {1}", "bool on = {0}")))
    convert(build(text.replace("ratio = {0.5}", "ratio = {0}")))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"y": np.ones((4, 6), np.float32)}, "'x' is missing"),
        ({"x": np.ones((4, 7), np.float32)}, "'x' has shape [4, 7], needs [N, 6]"),
        ({"x": np.ones((4,), np.float32)}, "'x' has shape [4]"),
        ({"x": np.full((4, 6), np.nan, np.float32)}, "NaN"),
        ({"x": np.ones((0, 6), np.float32)}, "no samples"),
        (np.ones((4, 5), np.float32), "[4, 5], needs [N, 6]"),
    ],
)
def test_bad_data(data: object, words: str) -> None:
    with pytest.raises(DataError) as raised:
        convert(GOOD, calibration=data)
    assert words in str(raised.value)
    assert "What to do" in str(raised.value)


def test_more_arrays_than_inputs_do_no_harm() -> None:
    feeds = draw(GOOD, 8)
    model, _ = convert(GOOD, calibration={**feeds, "labels": np.arange(8)})
    assert model.to_bytes() == convert(GOOD, calibration=feeds)[0].to_bytes()


def test_unknown_options_and_presets() -> None:
    with pytest.raises(DataError, match="no preset 'grated'") as raised:
        convert(GOOD, preset="grated")
    assert "graded" in raised.value.remedy
    with pytest.raises(DataError, match="unknown option"):
        convert(GOOD, level=3)


def test_what_reading_finds_is_said_once() -> None:
    model = build(MLP)
    weights = [tensor.name for tensor in model.graph.initializer]
    for name in weights:  # as IR version 3 listed them
        stored = next(tensor for tensor in model.graph.initializer if tensor.name == name)
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(name, stored.data_type, list(stored.dims))
        )
    spiking, _ = convert(model)
    for findings in (check(model).findings, spiking.manifest.findings):
        assert [finding.code for finding in findings].count("default-inputs") == 1

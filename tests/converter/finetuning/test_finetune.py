"""Fine-tuning: it learns, it resumes exactly, and its result converts to an exact spiking twin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.nets import CONV_BN_RELU, MLP, build

pytest.importorskip("torch")

from onnx2snn.converter import convert
from onnx2snn.converter.finetuning import FinetuneReport, FinetuneSettings, finetune
from onnx2snn.ir.errors import DataError, UnsupportedOpError
from onnx2snn.ir.session import Session
from onnx2snn.runtime import simulate

SAMPLES = np.random.default_rng(5).normal(size=(96, 6)).astype(np.float32)
QUICK = FinetuneSettings(epochs=3, batch=16, levels=4, learning_rate=5e-3)


def labels_of(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return Session(model).run({"x": x})["y"].argmax(axis=1)


@pytest.mark.parametrize("activation", ["clipfloor", "leaky-clipfloor", "threshold-relu"])
def test_the_network_learns_to_be_its_original_again(activation: str) -> None:
    settings = QUICK.model_copy(update={"activation": activation, "levels": 1})
    _, report = finetune(build(MLP), SAMPLES, settings=settings)
    assert report.epochs[report.best].held_out_loss < report.epochs[0].held_out_loss
    assert report.best > 0
    assert not report.labels
    assert report.epochs[-1].accuracy is None


@pytest.mark.parametrize("activation", ["clipfloor", "leaky-clipfloor"])
def test_the_result_converts_to_its_exact_spiking_twin(activation: str) -> None:
    settings = QUICK.model_copy(update={"activation": activation})
    tuned, report = finetune(build(MLP), SAMPLES, settings=settings)
    spiking, conversion = convert(tuned, calibration=SAMPLES, preset="ternary")
    (neuron,) = [n for n in conversion.manifest.nodes if n.fate == "neuron"]
    assert "4 levels" in neuron.detail
    x = SAMPLES[:32]
    found = simulate(spiking, {"x": x}, timesteps=96).outputs["y"]
    # The input encoder rounds to a grid of its own; away from ties of the staircase that is all.
    wanted = Session(tuned).run({"x": x})["y"]
    same = np.isclose(found, wanted, atol=2e-3).all(axis=1)
    assert same.mean() > 0.9
    assert set(report.thresholds) == {"relu1"}


def test_a_resumed_training_computes_what_an_uninterrupted_one_does(tmp_path: Path) -> None:
    model, y = build(MLP), labels_of(build(MLP), SAMPLES)
    whole, told = finetune(model, SAMPLES, y, settings=QUICK)

    class StoppedError(Exception):
        pass

    def stop(stage: str, _: float) -> None:
        if stage.startswith("epoch 3"):
            raise StoppedError

    file = tmp_path / "state"
    with pytest.raises(StoppedError):
        finetune(model, SAMPLES, y, settings=QUICK, checkpoint=file, progress=stop)
    again, retold = finetune(model, SAMPLES, y, settings=QUICK, checkpoint=file, resume=True)
    assert retold == told
    assert again == whole


def test_a_checkpoint_of_another_job_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state"
    finetune(build(MLP), SAMPLES, settings=QUICK, checkpoint=file)
    other = QUICK.model_copy(update={"levels": 5})
    with pytest.raises(DataError, match="other settings"):
        finetune(build(MLP), SAMPLES, settings=other, checkpoint=file, resume=True)
    file.write_bytes(b"no checkpoint")
    with pytest.raises(DataError, match="cannot be read"):
        finetune(build(MLP), SAMPLES, settings=QUICK, checkpoint=file, resume=True)


def test_the_tuned_file_is_a_drop_in_and_tells_its_story() -> None:
    images = np.random.default_rng(2).normal(size=(40, 3, 8, 8)).astype(np.float32)
    tuned, report = finetune(build(CONV_BN_RELU), images, settings=QUICK)
    onnx.checker.check_model(tuned, full_check=True)
    assert not tuned.functions
    assert Session(tuned).run({"x": images[:3]})["y"].shape == (3, 5)
    stored = {entry.key: entry.value for entry in tuned.metadata_props}["onnx2snn.finetune"]
    assert FinetuneReport.model_validate_json(stored) == report


def test_labels_must_fit() -> None:
    with pytest.raises(DataError, match="labels of shape"):
        finetune(build(MLP), SAMPLES, np.zeros(5, np.int64), settings=QUICK)


def test_what_cannot_be_trained_is_named() -> None:
    text = "net (float[N,6] x) => (float[N,6] y) { [a] h = Relu (x) [odd] y = CumSum (h, k) } "
    model = build(text.replace("{ [a]", "<int64 k = {1}> { [a]"))
    with pytest.raises(UnsupportedOpError, match="odd"):
        finetune(model, SAMPLES, settings=QUICK)


def test_a_network_without_activations_is_refused() -> None:
    model = build("net (float[N,6] x) => (float[N,2] y) <float[6,2] w> { y = MatMul (x, w) }")
    with pytest.raises(UnsupportedOpError, match="no activation"):
        finetune(model, SAMPLES, settings=QUICK)

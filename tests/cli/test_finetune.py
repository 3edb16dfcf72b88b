from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.cli.conftest import RunCli, mlp

from onnx2snn.cli import finetune as verb


@pytest.fixture
def files(tmp_path: Path) -> Path:
    onnx.save(mlp(), tmp_path / "net.onnx")
    x = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    np.savez(tmp_path / "train.npz", x=x, labels=np.arange(60) % 3)
    return tmp_path


def test_it_writes_the_tuned_network_and_no_rest(run: RunCli, files: Path) -> None:
    pytest.importorskip("torch")
    tuned = files / "tuned.onnx"
    data = files / "train.npz"
    ran = run("finetune", files / "net.onnx", "--data", data, "-o", tuned, "--epochs", 2)
    assert ran.code == 0, ran.err
    assert "clipfloor, L = 8" in ran.out
    onnx.checker.check_model(onnx.load(tuned))
    assert sorted(path.name for path in files.iterdir()) == ["net.onnx", "train.npz", "tuned.onnx"]


def test_json_holds_the_report(run: RunCli, files: Path) -> None:
    pytest.importorskip("torch")
    ran = run(
        *("finetune", files / "net.onnx", "--data", files / "train.npz"),
        *("-o", files / "t.onnx", "--epochs", 1, "--activation", "threshold-relu", "--json"),
    )
    assert ran.json["settings"]["activation"] == "threshold-relu"
    assert [epoch["number"] for epoch in ran.json["epochs"]] == [0, 1]


def test_a_bad_knob_is_named(run: RunCli, files: Path) -> None:
    pytest.importorskip("torch")
    ran = run(
        *("finetune", files / "net.onnx", "--data", files / "train.npz"),
        *("-o", files / "t.onnx", "--learning-rate", -1),
    )
    assert ran.code == 2
    assert "--learning-rate" in ran.err


def test_without_pytorch_it_says_what_to_install(
    run: RunCli, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnx2snn.cli.extras.find_spec", lambda name: None)
    ran = run("finetune", files / "net.onnx", "--data", files / "train.npz", "-o", files / "t.onnx")
    assert ran.code == 2
    assert "onnx2snn[train]" in ran.err
    assert verb.finetune.__doc__ is not None

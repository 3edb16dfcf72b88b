"""What the README and the page on extensions show works as it stands there."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnx2snn.cli.app import VERBS, build_app
from onnx2snn.runtime import Simulation

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FINETUNING = (ROOT / "docs" / "finetuning.md").read_text(encoding="utf-8")
EXTENDING = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
DEMO_DATA = ROOT / "cli" / "demo_data"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The lines of the shell examples that start with the command's name."""
    lines = [line for block in blocks(text, "bash") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("onnx2snn ")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the examples name, made from the demo's."""
    (tmp_path / "models").mkdir()
    (tmp_path / "photos").mkdir()
    for name in ("model.onnx", "models/first.onnx", "models/second.onnx"):
        shutil.copy(DEMO_DATA / "digits_cnn.onnx", tmp_path / name)
    shutil.copy(DEMO_DATA / "digits_calibration.npz", tmp_path / "calibration.npz")
    with np.load(DEMO_DATA / "digits.npz") as file:
        np.savez(tmp_path / "test.npz", image=file["image"][:100], labels=file["labels"][:100])
        for index, image in enumerate(file["image"][:4]):
            pixels = np.rint(image[0] * 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python_examples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in blocks(README, "python"):
        if "server.client" in block:  # runs in tests/server/test_client.py, against a service
            continue
        exec(compile(block, "README.md", "exec"), names)
    assert capsys.readouterr().out
    logits, logits_after_4 = names["logits"], names["logits_after_4"]
    assert isinstance(logits, np.ndarray)
    assert isinstance(logits_after_4, np.ndarray)
    assert (logits.argmax(1) == logits_after_4.argmax(1)).mean() >= 0.98


def test_shell_examples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(README):
        with pytest.raises(SystemExit) as ended:
            build_app()(words, prog_name="onnx2snn")
        assert not ended.value.code, f"{words}: {capsys.readouterr().err}"
    for name in ("model.snn.onnx", "report.html", "spikes.npz", "batch.html"):
        assert (folder / name).is_file(), name
    assert len(list((folder / "spiking").glob("*.snn.onnx"))) == 2


def test_finetuning_examples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    shutil.copy(folder / "test.npz", folder / "train.npz")
    quick = FINETUNING.replace("--epochs 20", "--epochs 1").replace("epochs=20", "epochs=1")
    for words in commands(quick):
        with pytest.raises(SystemExit) as ended:
            build_app()(words, prog_name="onnx2snn")
        assert not ended.value.code, f"{words}: {capsys.readouterr().err}"
    with np.load("train.npz") as file:
        names: dict[str, object] = {"images": file["image"], "labels": file["labels"]}
    (example,) = blocks(quick, "python")
    exec(compile(example, "docs/finetuning.md", "exec"), names)


def test_every_verb_is_named() -> None:
    for verb in VERBS:
        assert f"onnx2snn {verb.__name__}" in README, verb.__name__


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" not in target and not target.startswith("#"):
                assert (page.parent / target.split("#")[0]).exists(), f"{page.name}: {target}"


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for page in folder.glob("0*.md"):
        assert f"({page.name})" in index, page.name


def test_examples_of_running(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    text = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    for block in blocks(text, "python"):
        exec(compile(block, "docs/running.md", "exec"), names)
    assert capsys.readouterr().out
    early = names["early"]
    assert isinstance(early, Simulation)
    assert early.mean_timesteps < early.timesteps


def test_examples_of_extensions() -> None:
    names: dict[str, object] = {}
    for block in blocks(EXTENDING, "python"):
        exec(compile(block, "docs/extending.md", "exec"), names)

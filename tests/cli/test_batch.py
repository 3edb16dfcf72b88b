from __future__ import annotations

import json
import os
from pathlib import Path

import onnx
import pytest
from tests.cli.conftest import mlp

from onnx2snn.cli.batch import run_batch
from onnx2snn.cli.conversion_job import ConversionOptions, Outcome
from onnx2snn.cli.targets import Target, find_targets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good models, one of them in a sub-folder, and a broken one."""
    path = tmp_path / "models"
    (path / "sub").mkdir(parents=True)
    onnx.save(mlp(0), path / "a.onnx")
    onnx.save(mlp(1), path / "sub" / "a.onnx")
    (path / "broken.onnx").write_bytes((path / "a.onnx").read_bytes()[:100])
    return path


def test_a_broken_model_never_stops_the_rest(run, folder: Path, data: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "batch.html"
    arguments = ("convert", folder, "-o", out, "--calibration", data, "--json")
    ran = run(*arguments, "--jobs", 2, "--report", page)
    assert ran.code == 1
    assert (ran.json["converted"], ran.json["failed"]) == (2, 1)
    assert {m["model"] for m in ran.json["models"] if m["status"] == "failed"} == {
        str(folder / "broken.onnx")
    }
    written = {path.relative_to(out).as_posix() for path in out.rglob("*.onnx")}
    assert written == {"a.snn.onnx", "sub/a.snn.onnx"}
    assert "invalid-model" in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text()) == ran.json

    again = run(*arguments, "--resume")
    assert again.code == 1
    assert (again.json["skipped"], again.json["converted"], again.json["failed"]) == (2, 0, 1)

    other = run(*arguments, "--resume", "--timesteps", 5)
    assert (other.json["skipped"], other.json["converted"]) == (0, 2)

    onnx.save(mlp(7), folder / "a.onnx")
    changed = run(*arguments, "--resume", "--timesteps", 5)
    assert (changed.json["skipped"], changed.json["converted"]) == (1, 1)


def test_all_good_leaves_0(run, folder: Path, data: Path) -> None:
    (folder / "broken.onnx").unlink()
    ran = run("convert", f"{folder}/**/*.onnx", "--calibration", data)
    assert ran.code == 0
    assert "2 converted" in ran.out
    assert (folder / "sub" / "a.snn.onnx").is_file()


def test_nothing_found(run, tmp_path: Path) -> None:
    for argument in (tmp_path, f"{tmp_path}/*.onnx"):
        assert run("convert", argument).code == 2


def test_targets(folder: Path, tmp_path: Path) -> None:
    (folder / "a.snn.onnx").write_bytes(b"")
    found, batch = find_targets([str(folder), str(folder / "a.onnx")], str(tmp_path / "o"))
    assert batch
    assert [target.output.relative_to(tmp_path / "o").as_posix() for target in found] == [
        "a.snn.onnx",
        "broken.snn.onnx",
        "sub/a.snn.onnx",
    ]


def test_two_models_never_share_an_output(run, folder: Path, tmp_path: Path) -> None:
    ran = run("convert", folder / "a.onnx", folder / "sub" / "a.onnx", "-o", tmp_path / "o")
    assert ran.code == 2
    assert "both become" in ran.err.replace("\n", " ").replace("│", "").replace("  ", " ")


def die_on_second(target: Target, options: ConversionOptions) -> Outcome:
    if target.model.name == "1":
        os._exit(9)
    return Outcome(model=str(target.model), status="converted")


def test_a_dying_worker_fails_only_its_own_model() -> None:
    targets = [Target(Path(str(number)), Path("x")) for number in range(4)]
    seen: list[int] = []
    outcomes = run_batch(
        targets, ConversionOptions(), 2, lambda index, _: seen.append(index), die_on_second
    )
    assert [outcome.status for outcome in outcomes] == [
        "converted",
        "failed",
        "converted",
        "converted",
    ]
    assert outcomes[1].error is not None
    assert outcomes[1].error.code == "worker-died"
    assert sorted(seen) == [0, 1, 2, 3]

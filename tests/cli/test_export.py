from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest


@pytest.fixture
def unit(run, ann: Path, tmp_path: Path) -> Path:
    path = tmp_path / "net.snn.onnx"
    assert run("convert", ann, "--preset", "rate", "-o", path).code == 0
    return path


def test_export_refuses_losses_and_writes_when_allowed(run, unit: Path) -> None:
    ran = run("export", unit, "--to", "nir", "--json")
    assert ran.code == 2
    assert ran.json["error"]["code"] == "export-error"
    assert ran.json["error"]["findings"]
    assert not unit.with_name("net.nir").exists()
    ran = run("export", unit, "--to", "nir", "--target", "sinabs", "--allow-losses")
    assert ran.code == 0
    assert "several-spikes" in ran.out
    assert nir.read(unit.with_name("net.nir")).nodes


@pytest.mark.parametrize("to", ["step", "npz"])
def test_export_writes_the_other_formats(run, unit: Path, tmp_path: Path, to: str) -> None:
    ran = run("export", unit, "--to", to, "-o", tmp_path / "out.bin", "--json")
    assert ran.code == 0
    assert ran.json["size"] == (tmp_path / "out.bin").stat().st_size
    if to == "npz":
        assert "index" in np.load(tmp_path / "out.bin").files

"""Settings and fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Read by ONNX Runtime when it is first imported, so it must be set before any test module is.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture
def store_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], Path]:
    """Return what stores every weight of some bytes and more, in a folder of the test's."""
    from onnx2snn.ir import stored_weights

    def store(least: int) -> Path:
        folder = tmp_path_factory.mktemp("weights")
        monkeypatch.setattr(stored_weights, "LEAST_TOTAL", 1)
        monkeypatch.setattr(stored_weights, "LEAST_TENSOR", least)
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        return folder

    return store


@pytest.fixture
def store_all(store_from: Callable[[int], Path]) -> Path:
    """Store every weight of 64 bytes and more, in a folder of the test's."""
    return store_from(64)

"""The names that other code is meant to use: there, documented, and cheap where nobody asks."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

ROOMS = ("onnx2snn.converter", "onnx2snn.runtime")
EXPECTED = {
    "onnx2snn.converter": {"convert", "check", "ConversionReport", "Preset", "PRESETS"},
    "onnx2snn.runtime": {"simulate", "Simulator", "evaluate", "load_data", "write_report"},
}


@pytest.mark.parametrize("room", ROOMS)
def test_all_lists_the_public_names(room: str) -> None:
    names = importlib.import_module(room).__all__
    assert set(names) >= EXPECTED[room]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_things_and_not_the_modules_of_that_name(room: str) -> None:
    module = importlib.import_module(room)
    for name in module.__all__:
        assert not isinstance(getattr(module, name), ModuleType), name


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_documented(room: str) -> None:
    module = importlib.import_module(room)
    for name in module.__all__:
        value = getattr(module, name)
        if callable(value):
            assert (value.__doc__ or "").strip(), name


def test_help_loads_neither_onnx_nor_numpy() -> None:
    told = """
import sys
from onnx2snn.cli.app import build_app
build_app()
print([name for name in ("numpy", "onnx", "onnxruntime", "pydantic") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", told], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"

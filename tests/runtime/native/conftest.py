"""Every test here needs the compiled library, which is built where a C++ compiler is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from onnx2snn.runtime.native.library import use_instruction_set, why_not_built

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[2] / "ir")]

INSTRUCTION_SETS = ("portable", "avx2", "avx512")


@pytest.fixture(params=INSTRUCTION_SETS)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run with this instruction set, where the machine has it."""
    if why_not_built():
        pytest.skip(why_not_built())
    if not use_instruction_set(request.param):
        pytest.skip(f"this machine has no {request.param}")
    yield request.param
    use_instruction_set(None)

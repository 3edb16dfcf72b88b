"""Everything that has a name for users is in the documentation under that name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from onnx2snn.cli.failure import describe_failure
from onnx2snn.converter import PRESETS, Preset
from onnx2snn.converter.thresholds import THRESHOLD_RULES
from onnx2snn.ir.errors import Onnx2SnnError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.linear import LINEAR_OPS
from onnx2snn.ir.manifest import CalibrationSource, Manifest, NodeFate, SourceModel
from onnx2snn.ir.ops import OPS, GradedIntegrateFire, Neuron
from onnx2snn.ir.somas import SOMAS

ROOT = Path(__file__).resolve().parent.parent
IR = (ROOT / "docs" / "ir.md").read_text(encoding="utf-8")
METHODS = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
CODE = ("ir", "converter", "runtime", "cli")


def errors(base: type[Onnx2SnnError] = Onnx2SnnError) -> Iterator[type[Onnx2SnnError]]:
    yield base
    for child in base.__subclasses__():
        yield from errors(child)


def test_every_operator() -> None:
    for op in OPS:
        assert f"#### {op.kind if isinstance(op, Neuron) else op.name}\n" in IR, op.name
        for name in (*op.state, *op.attributes):
            assert re.search(rf"\b{name}\b", IR), f"{op.name}: {name}"
        if not isinstance(op, Neuron):
            assert f"{op.name}({', '.join(op.inputs)})" in IR, op.name


def test_variants_have_the_names_of_the_rule() -> None:
    for op in OPS:
        if isinstance(op, Neuron):
            digits = op.digits if isinstance(op, GradedIntegrateFire) else 1
            soma = f"_{op.soma.name}" if op.soma.name else ""
            assert op.name == op.kind + soma + (f"_x{digits}" if digits > 1 else "")
            assert op.step_name == f"{op.name}_Step"


@pytest.mark.parametrize("soma", SOMAS, ids=lambda soma: soma.name or "linear")
def test_every_soma(soma) -> None:
    name = f"`{soma.name}`" if soma.name else "(none)"
    (row,) = re.findall(rf"^\| {re.escape(name)} \|.*$", IR, re.MULTILINE)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] == ", ".join(soma.parameters)
    assert cells[3] == ("yes" if soma.homogeneous else "no")
    assert (cells[4] == "no") == (not soma.monotone)


def test_every_linear_operator() -> None:
    for name in LINEAR_OPS:
        assert f"`{name}`" in IR, name


@pytest.mark.parametrize("part", [Manifest, SourceModel, CalibrationSource, NodeFate, Finding])
def test_every_field_of_the_manifest(part) -> None:
    for name in part.model_fields:
        assert f"`{name}`" in IR, name


@pytest.mark.parametrize("error", list(errors()), ids=lambda error: error.__name__)
def test_every_error(error: type[Onnx2SnnError]) -> None:
    assert f"\n## {error.code}\n" in ERRORS
    assert f"`{error.__name__}`" in ERRORS


def test_every_code_of_the_command_line() -> None:
    for error in (OSError(2, "gone"), MemoryError(), RuntimeError("bug")):
        assert f"`{describe_failure(error).code}`" in ERRORS


def test_every_code_of_a_finding() -> None:
    files = [file for room in CODE for file in (ROOT / room).rglob("*.py")]
    pattern = r'code="([a-z0-9-]+)"|_(?:invalid|finding)\(\s*"([a-z0-9-]+)"'
    found = {
        code
        for file in files
        for codes in re.findall(pattern, file.read_text(encoding="utf-8"))
        for code in codes
        if code
    }
    assert len(found) > 20
    assert sorted(code for code in found if f"`{code}`" not in ERRORS) == []


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset(preset: Preset) -> None:
    (heads,) = re.findall(r"^\| \| `graded`.*$", METHODS, re.MULTILINE)
    column = [cell.strip() for cell in heads.split("|")].index(
        f"`{preset.name}`" + (" (default)" if preset.name == "graded" else "")
    )
    told = {
        "default T": str(preset.timesteps),
        "S": "T" if preset.stimulus is None else str(preset.stimulus),
        "levels per range": "T / 2" if preset.levels is None else str(preset.levels),
        "threshold rule": preset.threshold_rule,
        "headroom": str(preset.headroom),
        "bias correction": "yes" if preset.bias_correction else "no",
        "digits of the input encoder": str(preset.input_digits),
        "max-pool": "on membranes" if preset.pooling == "membrane" else "on counts",
    }
    for title, value in told.items():
        (row,) = re.findall(rf"^\| {re.escape(title)} \|.*$", METHODS, re.MULTILINE)
        # A condition may follow: "31 at T = 32".
        assert row.split("|")[column].strip().partition(" at T")[0] == value, title


def test_every_threshold_rule() -> None:
    for name in THRESHOLD_RULES:
        assert f"| `{name}` |" in METHODS

"""Task: presets, operators that convert and formats, as the converter itself states them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onnx2snn.converter.activations import ACTIVATIONS
from onnx2snn.converter.canonicalise import PASSES
from onnx2snn.converter.catalogue import ALL_PRESETS
from onnx2snn.converter.exporters import EXPORTERS, PROFILES
from onnx2snn.ir.grammar import SHAPE_OPS
from onnx2snn.ir.linear import LINEAR_OPS
from onnx2snn.server.sandbox import Progress


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Return presets, operators and formats of exports.

    Args:
        arguments: none.
        folder: of the task.
        progress: told what is going on.
    """
    progress("list", 0.0)
    return {
        "presets": [preset.model_dump(mode="json") for preset in ALL_PRESETS],
        "operators": _operators(),
        "formats": _formats(),
    }


def _operators() -> list[dict[str, Any]]:
    rows: list[tuple[str, list[str], str]] = []
    for step in dict.fromkeys(PASSES):
        rows.append(("folded", [], _sentence(step)))
    for rule in ACTIVATIONS:
        told = _sentence(rule)
        rows.append(("neuron", re.findall(r"``(\w+)``", told), told.removeprefix("Match ")))
    rows.append(("spiking-pool", ["MaxPool"], "on membrane potentials or spike counts, exact"))
    for weighted, told in (
        (True, "synapses, bias-free"),
        (False, "act on the stream step by step"),
    ):
        names = [name for name, op in LINEAR_OPS.items() if op.synapse == weighted]
        rows.append(("linear", names, told))
    rows.append(("prologue", sorted(SHAPE_OPS), "compute shapes, not values"))
    rest = "any other operator: runs on decoded values, if no trained weights follow"
    rows.append(("read-out", [], rest))
    return [
        {"fate": fate, "operators": names, "treatment": told.replace("``", "")}
        for fate, names, told in rows
    ]


def _formats() -> list[dict[str, Any]]:
    return [
        {
            "name": exporter.name,
            "suffix": exporter.suffix,
            "summary": exporter.summary,
            "targets": [profile.name for profile in PROFILES] if exporter.name == "nir" else [],
        }
        for exporter in EXPORTERS
    ]


def _sentence(function: Callable[..., Any]) -> str:
    """Return the first sentence of a docstring."""
    lines = (function.__doc__ or "").strip().split("\n\n")[0].splitlines()
    return " ".join(line.strip() for line in lines).rstrip(".")

"""The page of a diagnosis, and its numbers as JSON beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.diagnose.kinds import KINDS
from onnx2snn.runtime.diagnose.results import Diagnosis
from onnx2snn.runtime.reports.numerals import figure, percent
from onnx2snn.runtime.reports.page import write_page


def write_diagnosis(
    path: str | os.PathLike[str], *, model: SpikingModel, diagnosis: Diagnosis
) -> Path:
    """Write the page and, beside it, the same numbers as JSON (suffix ``.json``)."""
    occurring = [
        kind for kind in KINDS if any(kind.name in layer.own for layer in diagnosis.layers)
    ]
    context = {
        "producer": model.manifest.producer,
        "diagnosis": diagnosis,
        "tiles": _tiles(diagnosis),
        "kinds": occurring,
    }
    record = {"diagnosis": json.loads(diagnosis.model_dump_json())}
    return write_page(path, "diagnosis.html", context, record)


def _tiles(diagnosis: Diagnosis) -> list[dict[str, str]]:
    tiles = [(figure(diagnosis.relative_error, 3), "relative error of the outputs")]
    if diagnosis.agreement is not None:
        tiles.append((percent(diagnosis.agreement), f"agreement at T = {diagnosis.timesteps}"))
    tiles.append((diagnosis.worst_kind or "none", "error that costs most"))
    return [{"value": value, "label": label} for value, label in tiles]

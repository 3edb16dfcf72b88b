"""The report of one spiking network: a self-contained HTML file, and its numbers as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from onnx2snn.ir.manifest import Fate, Manifest, NodeFate
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.evaluation.results import Evaluation
from onnx2snn.runtime.reports.figures import (
    curve_plots,
    events_map,
    greatest_cell,
    thresholds_plot,
)
from onnx2snn.runtime.reports.numerals import amount, count, figure, joules, percent
from onnx2snn.runtime.reports.page import write_page

_FATES: tuple[str, ...] = ("refused", *(fate for fate in get_args(Fate) if fate != "refused"))


def write_report(
    path: str | os.PathLike[str],
    *,
    model: SpikingModel,
    evaluation: Evaluation | None = None,
    conversion: BaseModel | None = None,
) -> Path:
    """Write the report and, beside it, the same numbers as JSON (suffix ``.json``).

    Args:
        path: the HTML file.
        model: the spiking network.
        evaluation: its account on data, if there is one.
        conversion: the converter's own report, kept in the JSON file as it is.
    """
    manifest = model.manifest
    context = {
        "producer": manifest.producer,
        "manifest": manifest,
        "evaluation": evaluation,
        "tiles": _tiles(manifest, evaluation),
        "facts": _facts(manifest, evaluation),
        "provenance": provenance(manifest),
        "fates": _by_fate(manifest),
        "thresholds_plot": thresholds_plot(model),
    }
    if evaluation is not None:
        context |= {
            "curves": curve_plots(evaluation),
            "events_map": events_map(evaluation),
            "greatest_cell": greatest_cell(evaluation),
        }
    record = {
        "manifest": _plain(manifest),
        "evaluation": _plain(evaluation),
        "conversion": _plain(conversion),
    }
    return write_page(path, "report.html", context, record)


def _plain(model: BaseModel | None) -> Any:
    """Return JSON values, with the manifest left to its own place; NaN becomes null."""
    return None if model is None else json.loads(model.model_dump_json(exclude={"manifest"}))


def _tiles(manifest: Manifest, evaluation: Evaluation | None) -> list[Mapping[str, str]]:
    """Return the headline numbers."""
    if evaluation is None:
        return [
            {"value": str(manifest.timesteps), "label": "timesteps T (default)"},
            {"value": manifest.alphabet, "label": "alphabet"},
            {"value": count(manifest.levels), "label": "levels of the PTQ grid"},
            {"value": str(len(manifest.analog_ops)), "label": "analog operators left"},
        ]
    last = evaluation.curve[-1]
    tiles = []
    if last.accuracy is not None:
        tiles.append((percent(last.accuracy), f"SNN accuracy at T = {last.timesteps}"))
        tiles.append((percent(evaluation.ann.accuracy), "ANN accuracy"))
        tiles.append((percent(evaluation.ptq.accuracy), "PTQ accuracy"))
    if last.agreement is not None:
        tiles.append((percent(last.agreement), f"agreement with the ANN at T = {last.timesteps}"))
    else:
        tiles.append((figure(last.relative_error, 3), f"relative error at T = {last.timesteps}"))
    tiles.append((figure(last.events_per_neuron, 3), "events per neuron and sample"))
    silent = evaluation.silent_at
    if silent is None:
        tiles.append(("not silent", f"at T = {evaluation.timesteps}: events still occur"))
    else:
        tiles.append((f"t = {silent}", "silent from"))
    if evaluation.energy:
        first = evaluation.energy[0]
        told = f"estimated per sample ({first.name}); ANN {joules(first.ann)}"
        tiles.append((joules(first.snn), told))
    return [{"value": value, "label": label} for value, label in tiles]


def _facts(manifest: Manifest, evaluation: Evaluation | None) -> list[tuple[str, str]]:
    timesteps = evaluation.timesteps if evaluation else manifest.timesteps
    stimulus = timesteps if manifest.stimulus is None else min(manifest.stimulus, timesteps)
    facts = [
        ("Preset", manifest.preset),
        ("Timesteps", f"T = {timesteps}, stimulus shown for S = {stimulus}"),
        ("Alphabet", alphabet_words(manifest, timesteps)),
        ("Input coding", manifest.input_coding),
        ("Read-out", manifest.read_out),
        ("Calibration", calibration_words(manifest)),
    ]
    if evaluation is not None:
        last = evaluation.curve[-1]
        facts.append(
            (
                "Events",
                f"{amount(last.events_per_sample)} per sample in {count(evaluation.neurons)} "
                f"neurons by T = {last.timesteps}",
            )
        )
    return facts


def alphabet_words(manifest: Manifest, timesteps: int) -> str:
    """Say what one emission may be and, if graded, how many micro-steps T makes."""
    if manifest.alphabet != "graded":
        return manifest.alphabet
    micro = timesteps * manifest.digits
    return f"graded, k = {manifest.digits} (T × k = {micro} micro-steps)"


def calibration_words(manifest: Manifest) -> str:
    """Say where the statistics behind the thresholds come from."""
    source = manifest.calibration
    if source.kind == "synthetic":
        return f"none given: {count(source.samples)} synthetic samples"
    return f"{count(source.samples)} samples of data"


def provenance(manifest: Manifest) -> list[tuple[str, str]]:
    """Return where a spiking network comes from, as names and values."""
    rule = f"{manifest.threshold_rule}, {count(manifest.levels)} levels"
    return [
        ("Source model", f"{manifest.source.name} (opset {manifest.source.opset})"),
        ("Source SHA-256", manifest.source.sha256),
        ("Calibration SHA-256", manifest.calibration.sha256 or "–"),
        ("Threshold rule", rule),
        ("Bias correction", "sequential" if manifest.bias_correction else "none"),
        ("File layout", manifest.layout),
        ("Seed", str(manifest.seed)),
        ("Producer", f"{manifest.producer}, file format {manifest.format}"),
    ]


def _by_fate(manifest: Manifest) -> list[tuple[str, list[NodeFate]]]:
    ordered = sorted(manifest.nodes, key=lambda node: _FATES.index(node.fate))
    return [(fate, list(nodes)) for fate, nodes in groupby(ordered, key=lambda node: node.fate)]

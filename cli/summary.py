"""What a conversion says on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from rich.console import Console
from rich.text import Text

from onnx2snn.cli.conversion_job import Outcome
from onnx2snn.cli.output import cell, facts, print_findings, table, tell
from onnx2snn.ir.manifest import Fate, Manifest
from onnx2snn.runtime.reports.numerals import count, percent, seconds, size
from onnx2snn.runtime.reports.report import alphabet_words, calibration_words

STATUS_STYLES = {"converted": "green", "skipped": "yellow", "failed": "red"}


def print_conversion(console: Console, outcome: Outcome) -> None:
    """Write what became of one model."""
    manifest = outcome.manifest
    if manifest is None:
        return
    if outcome.status == "skipped":
        console.print(cell(f"{outcome.output} is up to date: nothing to do"))
        return
    console.print(facts(_facts(manifest, outcome)))
    console.print()
    console.print(table(["fate", "nodes", "operators"], fate_rows(manifest)))
    if outcome.report is not None and outcome.report.layer_errors:
        found = outcome.report.layer_errors
        rows = [(error.layer, f"{error.own:.4f}", f"{error.accumulated:.4f}") for error in found]
        console.print()
        console.print(table(["layer", "own error", "accumulated"], rows))
    if manifest.findings:
        console.print()
        print_findings(console, manifest.findings)
    console.print()
    told = f"wrote {outcome.output} ({size(outcome.octets or 0)}) in {seconds(outcome.seconds)}"
    console.print(cell(told, "bold"), soft_wrap=True)


def _facts(manifest: Manifest, outcome: Outcome) -> list[tuple[str, object]]:
    stimulus = "T" if manifest.stimulus is None else str(manifest.stimulus)
    told: list[tuple[str, object]] = [
        ("model", f"{manifest.source.name} (opset {manifest.source.opset})"),
        ("preset", manifest.preset),
        ("timesteps", f"T = {manifest.timesteps}, S = {stimulus}"),
        ("alphabet", alphabet_words(manifest, manifest.timesteps)),
        ("input coding", manifest.input_coding),
        ("read-out", manifest.read_out),
        ("thresholds", f"{manifest.threshold_rule}, {count(manifest.levels)} levels"),
        ("calibration", calibration_words(manifest)),
        ("analog operators", ", ".join(manifest.analog_ops) or "none"),
    ]
    if outcome.report is not None:
        report = outcome.report
        told.append(("neurons", f"{count(report.neurons)} in {count(report.neuron_layers)} layers"))
        if report.search:
            curve = ", ".join(f"{p.timesteps}: {percent(p.loss)}" for p in report.search)
            told.append(("loss by T", f"{curve} (on the calibration data)"))
    return told


def fate_rows(manifest: Manifest) -> list[tuple[str, str, str]]:
    """Count the nodes of the source by what became of them, and their operators."""
    rows = []
    for fate in get_args(Fate):
        ops = Counter(node.op for node in manifest.nodes if node.fate == fate)
        if ops:
            told = ", ".join(f"{op} x {number}" for op, number in ops.most_common())
            rows.append((fate, str(ops.total()), told))
    return rows


def print_batch(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Write one line per model, then the counts; errors stand below."""
    rows = [
        (
            Text(outcome.status, STATUS_STYLES[outcome.status]),
            outcome.model,
            outcome.output or "",
            "" if outcome.manifest is None else str(outcome.manifest.timesteps),
            "" if outcome.octets is None else size(outcome.octets),
            seconds(outcome.seconds),
        )
        for outcome in outcomes
    ]
    console.print(table(["status", "model", "output", "T", "size", "time"], rows, numeric=3))
    console.print()
    for outcome in outcomes:
        if outcome.error is not None:
            tell(console, f"{outcome.model}: {outcome.error}", "red")
    console.print(cell(counts_in_words(outcomes), "bold"))


def counts_in_words(outcomes: Sequence[Outcome]) -> str:
    """Return e.g. ``3 converted, 1 failed``."""
    counts = Counter[str](outcome.status for outcome in outcomes)
    return ", ".join(f"{counts[status]} {status}" for status in STATUS_STYLES if counts[status])

"""One report for many conversions: a page, and the same as JSON."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from onnx2snn.cli.conversion_job import Outcome
from onnx2snn.runtime.reports.page import write_page


def batch_record(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the outcomes and their counts as plain JSON values."""
    counts = Counter(outcome.status for outcome in outcomes)
    return {
        "converted": counts["converted"],
        "skipped": counts["skipped"],
        "failed": counts["failed"],
        "models": [json.loads(outcome.model_dump_json()) for outcome in outcomes],
    }


def write_batch_report(path: str | os.PathLike[str], outcomes: Sequence[Outcome]) -> Path:
    """Write the combined report and, beside it, the same as JSON (suffix ``.json``)."""
    counts = Counter(outcome.status for outcome in outcomes)
    tiles = [(str(len(outcomes)), "models")]
    tiles += [(str(counts[name]), name) for name in ("converted", "skipped", "failed")]
    context = {
        "producer": f"onnx2snn {_version()}",
        "outcomes": outcomes,
        "tiles": tiles,
    }
    return write_page(path, "batch.html", context, batch_record(outcomes))


def _version() -> str:
    try:
        return version("onnx2snn")
    except PackageNotFoundError:
        return "0+unknown"

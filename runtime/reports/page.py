"""Pages from templates: everything a model says is escaped, everything needed is inside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from onnx2snn.ir.model import write_atomically
from onnx2snn.runtime.reports import numerals

_TEMPLATES = Path(__file__).parent / "templates"


def write_page(
    path: str | os.PathLike[str],
    template: str,
    context: Mapping[str, Any],
    record: Mapping[str, Any],
) -> Path:
    """Write a page and, beside it, its numbers as JSON.

    Args:
        path: the page; the JSON file has the same name with the suffix ``.json``.
        template: name of a file of ``templates``.
        context: what the template shows.
        record: what the JSON file holds.
    """
    target = Path(path)
    json_path = target.with_suffix(".json")
    page = _environment().get_template(template).render(json_name=json_path.name, **context)
    text = json.dumps(record, indent=1, ensure_ascii=True, allow_nan=False)
    write_atomically(json_path, f"{text}\n".encode())
    return write_atomically(target, page.encode("utf-8", "replace"))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": numerals.percent,
        "figure": numerals.figure,
        "count": numerals.count,
        "amount": numerals.amount,
        "joules": numerals.joules,
        "seconds": numerals.seconds,
        "size": numerals.size,
    }
    return environment

"""Names of strangers made safe: for files, for headers."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 80


def display_name(name: str | None, default: str) -> str:
    """Return a name for people: the last part of a path, without control characters."""
    last = PurePosixPath((name or "").replace("\\", "/")).name
    shown = "".join(character for character in last if character.isprintable()).strip()
    return shown[:200] or default


def stored_name(name: str, ending: str) -> str:
    """Return a file name of plain letters that ends as given."""
    stem = PurePosixPath(name).name.removesuffix(ending)
    safe = _UNSAFE.sub("_", stem).strip("._-")[:_LONGEST]
    return f"{safe or 'model'}{ending}"


def snn_name(source: str) -> str:
    """Return the name of the file of a spiking network."""
    return stored_name(source.removesuffix(".onnx"), ".snn.onnx")

"""Task: write a spiking network in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx2snn.converter.exporters import export
from onnx2snn.server.sandbox import Progress


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Export; writes ``out/export``.

    Args:
        arguments: ``snn`` (file name in ``in/``), ``format``, ``target`` (may be empty) and
            ``allow_losses``.
        folder: of the task.
        progress: told what is going on.

    Returns:
        The account of the export.
    """
    progress("export", 0.0)
    report = export(
        folder / "in" / arguments["snn"],
        to=arguments["format"],
        target=arguments["target"] or None,
        allow_losses=arguments["allow_losses"],
        output=folder / "out" / "export",
    )
    return report.model_dump(mode="json", exclude={"path"})

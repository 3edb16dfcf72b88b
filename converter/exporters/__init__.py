"""Exports: a spiking model in other formats. One file a format, one line in ``EXPORTERS``."""

from __future__ import annotations

import os
from pathlib import Path

from onnx2snn.converter.exporters.base import Exported, Exporter, ExportReport
from onnx2snn.converter.exporters.nir_file import NirFile
from onnx2snn.converter.exporters.npz_file import NpzFile
from onnx2snn.converter.exporters.profiles import PROFILES
from onnx2snn.converter.exporters.step_file import StepFile
from onnx2snn.ir.errors import ExportError
from onnx2snn.ir.model import SpikingModel, write_atomically

EXPORTERS: tuple[Exporter, ...] = (NirFile(), StepFile(), NpzFile())


def export(
    model: SpikingModel | str | os.PathLike[str],
    *,
    to: str,
    target: str | None = None,
    allow_losses: bool = False,
    output: str | os.PathLike[str] | None = None,
    exporters: tuple[Exporter, ...] = EXPORTERS,
) -> ExportReport:
    """Write a spiking model in another format.

    Args:
        model: the spiking model, or the path of its file.
        to: name of the format: nir, step or npz.
        target: the framework that will read the file, e.g. sinabs.
        allow_losses: write the file although the format loses some of the model's meaning.
        output: the file to write; none is written if not given.
        exporters: the formats there are.

    Returns:
        The account of the export; its findings tell what the file does not say.

    Raises:
        ExportError: the format or target is unknown, cannot express the model, or loses some of
            its meaning and ``allow_losses`` is not set; the findings name everything.
    """
    spiking = model if isinstance(model, SpikingModel) else SpikingModel.load(model)
    exporter = _find(to, exporters)
    exported = exporter.export(spiking, target)
    _refuse(exported, exporter, target or "", allow_losses)
    path = write_atomically(output, exported.content) if output is not None else None
    return ExportReport(
        format=exporter.name,
        target=target or "",
        path=path,
        size=len(exported.content),
        findings=exported.findings,
        lint=exported.lint,
        layers=exported.layers,
    )


def default_path(source: str | os.PathLike[str], to: str) -> Path:
    """Return the file an export is written to if none is named: beside the source."""
    path = Path(source)
    stem = path.name.removesuffix(".onnx").removesuffix(".snn")
    return path.with_name(stem + _find(to, EXPORTERS).suffix)


def _find(name: str, exporters: tuple[Exporter, ...]) -> Exporter:
    for exporter in exporters:
        if exporter.name == name:
            return exporter
    known = ", ".join(exporter.name for exporter in exporters)
    raise ExportError(f"there is no format '{name}'", remedy=f"choose one of: {known}")


def _refuse(exported: Exported, exporter: Exporter, target: str, allow_losses: bool) -> None:
    """Refuse what cannot be said at all, and what is lost unless that is allowed."""
    errors = [finding for finding in exported.findings if finding.severity == "error"]
    losses = [finding for finding in exported.findings if finding.severity == "warning"]
    where = f"{exporter.name} for {target}" if target else exporter.name
    if errors:
        raise ExportError(
            f"{where} cannot express {len(errors)} part(s) of the model",
            remedy="remove these operators, or use the .snn.onnx file itself",
            findings=[*errors, *losses],
        )
    if losses and not allow_losses:
        raise ExportError(
            f"{where} would lose some of the model's meaning in {len(losses)} way(s)",
            remedy="follow the hints, or export all the same with --allow-losses",
            findings=losses,
        )


__all__ = [
    "EXPORTERS",
    "PROFILES",
    "ExportReport",
    "Exported",
    "Exporter",
    "default_path",
    "export",
]

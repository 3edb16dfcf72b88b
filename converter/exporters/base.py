"""What every exporter has: a name, a file suffix and one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from onnx2snn.ir.findings import Finding
from onnx2snn.ir.model import SpikingModel


class Exported(BaseModel):
    """A model in another format.

    Attributes:
        content: the bytes of the file.
        findings: what the format loses (``warning``), cannot say (``error``), or what the reader
            of the file must know (``info``).
        lint: limits of hardware that layers exceed; these refuse nothing.
        layers: rows of name, kind and output shape, in order.
    """

    model_config = ConfigDict(frozen=True)

    content: bytes
    findings: tuple[Finding, ...] = ()
    lint: tuple[Finding, ...] = ()
    layers: tuple[tuple[str, str, tuple[int, ...]], ...] = ()


class ExportReport(BaseModel):
    """The account of an export.

    Attributes:
        format: name of the exporter.
        target: the framework or chip it is for; empty if none was named.
        path: the file; None if none was asked for.
        size: bytes.
        findings: losses and hints.
        lint: limits of hardware that layers exceed.
        layers: rows of name, kind and output shape, in order.
    """

    model_config = ConfigDict(frozen=True)

    format: str
    target: str
    path: Path | None
    size: int
    findings: tuple[Finding, ...]
    lint: tuple[Finding, ...]
    layers: tuple[tuple[str, str, tuple[int, ...]], ...]


class Exporter(ABC):
    """One format.

    Attributes:
        name: how the command line calls it.
        suffix: of the file.
        summary: one line on what it is for.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def export(self, model: SpikingModel, target: str | None) -> Exported:
        """Return the model in this format.

        Args:
            model: any spiking model; it is not changed.
            target: the framework the file is for, where the format knows several.

        Raises:
            ExportError: the target is unknown, or the format cannot say anything of the model.
        """

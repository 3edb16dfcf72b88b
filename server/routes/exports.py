"""Spiking networks in other formats: made when first asked for, then kept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from onnx2snn.server.blobs import announce
from onnx2snn.server.database.tables import Export, Snn, now
from onnx2snn.server.file_answers import file_answer
from onnx2snn.server.problems import Problem
from onnx2snn.server.routes.catalogue import catalogue
from onnx2snn.server.sandbox import KilledError
from onnx2snn.server.schemas import ExportOut, Sha256Path
from onnx2snn.server.service import Service, TheService
from onnx2snn.server.submit import Owner, require

router = APIRouter(prefix="/v1/snns/{snn_id}/exports", tags=["snns"])
Format = Annotated[str, Path(pattern=r"^[a-z0-9_-]{1,20}$", description="nir, step or npz.")]
Target = Annotated[
    str, Query(pattern=r"^[a-z0-9_-]{0,40}$", description="Framework that will read a NIR file.")
]
AllowLosses = Annotated[
    bool, Query(description="Write the file although the format cannot say everything.")
]


@router.get("/{format}", operation_id="downloadExport", response_class=Response)
async def download_export(
    service: TheService,
    owner: Owner,
    snn_id: Sha256Path,
    format: Format,
    request: Request,
    target: Target = "",
    allow_losses: AllowLosses = False,
) -> Response:
    """Return the network in another format; refused if that loses meaning, unless allowed."""
    snn, export = await _export(service, owner, snn_id, format, target, allow_losses)
    suffix = await _suffix(service, format)
    name = snn.name.removesuffix(".onnx").removesuffix(".snn") + suffix
    return file_answer(request, service.context.store, export.sha256, export.size, name=name)


@router.get("/{format}/report", operation_id="getExportReport")
async def get_export_report(
    service: TheService,
    owner: Owner,
    snn_id: Sha256Path,
    format: Format,
    target: Target = "",
    allow_losses: AllowLosses = False,
) -> ExportOut:
    """Return what the format does not say, layer by layer, and limits of hardware exceeded."""
    _, export = await _export(service, owner, snn_id, format, target, allow_losses)
    return ExportOut.model_validate(export.report)


async def _export(
    service: Service, owner: str, snn_id: str, format: str, target: str, allow_losses: bool
) -> tuple[Snn, Export]:
    """Return the network and its export, made now if this version has not made it before.

    Raises:
        Problem: there is no such network or format, or the export was refused.
    """
    await _suffix(service, format)
    key = (snn_id, format, target, allow_losses, service.context.version)
    with service.context.sessions() as session, session.begin():
        snn: Snn = require(session, Snn, owner, snn_id, "spiking network")
        snn.used_at = now()
        known = session.get(Export, key)
    if known is None:
        known = await service.in_sandbox(lambda: _make(service, key))
    return snn, known


def _make(service: Service, key: tuple[str, str, str, bool, str]) -> Export:
    context = service.context
    snn_id, format, target, allow_losses, version = key
    with context.sandbox.workplace() as place:
        name = "network.snn.onnx"
        context.store.fetch(snn_id, place.inputs / name)
        arguments = {"snn": name, "format": format, "target": target, "allow_losses": allow_losses}
        try:
            report: dict[str, Any] = context.sandbox.run(
                place, "export", arguments, seconds=context.settings.check_seconds
            )
        except KilledError as error:
            raise Problem(
                "killed", "the export was killed", remedy="try again", retry_after=5
            ) from error
        sha256, size = context.store.digest(place.output("export"))
        announce(context, (sha256, size, "application/octet-stream"))
        context.store.put(sha256, place.output("export"))
    export = Export(
        snn_id=snn_id, format=format, target=target, allow_losses=allow_losses, version=version,
        sha256=sha256, size=size, report=report, created_at=now(),
    )  # fmt: skip
    with context.sessions() as session, session.begin():
        return session.merge(export)


async def _suffix(service: Service, format: str) -> str:
    """Return how the names of files of a format end.

    Raises:
        Problem: there is no such format.
    """
    formats = (await catalogue(service))["formats"]
    for known in formats:
        if known["name"] == format:
            return str(known["suffix"])
    names = ", ".join(known["name"] for known in formats)
    raise Problem("not-found", f"there is no format '{format}'", remedy=f"choose one of: {names}")

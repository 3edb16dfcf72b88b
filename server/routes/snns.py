"""Spiking networks: list, download, report, curve, delete."""

from __future__ import annotations

import json
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from sqlalchemy import delete, select

from onnx2snn.server.database.tables import JobFile, Snn
from onnx2snn.server.file_answers import file_answer
from onnx2snn.server.pages import PageSize, PageToken, read_page
from onnx2snn.server.problems import Problem
from onnx2snn.server.schemas import CurveOut, Sha256Path, SnnOut, SnnPage
from onnx2snn.server.service import Service, TheService
from onnx2snn.server.submit import Owner, require

router = APIRouter(prefix="/v1/snns", tags=["snns"])


@router.get("", operation_id="listSnns")
def list_snns(
    service: TheService, owner: Owner, page_size: PageSize = 50, page_token: PageToken = ""
) -> SnnPage:
    """List your spiking networks, the newest first."""
    with service.context.sessions() as session:
        query = select(Snn).where(Snn.owner == owner)
        rows, token = read_page(session, query, Snn, page_size, page_token)
    return SnnPage(items=[snn_out(row) for row in rows], next_page_token=token)


@router.get("/{snn_id}", operation_id="getSnn")
def get_snn(service: TheService, owner: Owner, snn_id: Sha256Path) -> SnnOut:
    """Return a spiking network's summary and links."""
    with service.context.sessions() as session:
        return snn_out(require(session, Snn, owner, snn_id, "spiking network"))


@router.get("/{snn_id}/content", operation_id="downloadSnn", response_class=Response)
def download_snn(
    service: TheService, owner: Owner, snn_id: Sha256Path, request: Request
) -> Response:
    """Return the ``.snn.onnx`` file; ranges and ETags work."""
    with service.context.sessions() as session:
        snn: Snn = require(session, Snn, owner, snn_id, "spiking network")
    return snn_file(service, snn, request)


@router.get("/{snn_id}/report", operation_id="getSnnReport", response_class=Response)
def get_report(
    service: TheService,
    owner: Owner,
    snn_id: Sha256Path,
    request: Request,
    format: Literal["html", "json"] = "html",
    download: bool = False,
) -> Response:
    """Return the report of the last measurement (or of the conversion), as a page or as JSON."""
    file = _report_file(service, owner, snn_id, f"report.{format}")
    return file_answer(
        request,
        service.context.store,
        file.sha256,
        file.size,
        name=file.name,
        media_type=file.media_type,
        inline=not download,
    )


@router.get("/{snn_id}/curve", operation_id="getSnnCurve")
def get_curve(service: TheService, owner: Owner, snn_id: Sha256Path) -> CurveOut:
    """Return accuracy and agreement against timesteps, layers and energy."""
    return CurveOut.model_validate(_evaluation(service, owner, snn_id))


@router.delete("/{snn_id}", status_code=204, operation_id="deleteSnn")
def delete_snn(service: TheService, owner: Owner, snn_id: Sha256Path) -> None:
    """Delete a spiking network."""
    with service.context.sessions() as session, session.begin():
        require(session, Snn, owner, snn_id, "spiking network")
        session.execute(delete(Snn).where(Snn.owner == owner, Snn.id == snn_id))


def snn_file(service: Service, snn: Snn, request: Request) -> Response:
    """Return the answer with a network's file."""
    return file_answer(request, service.context.store, snn.id, snn.size, name=snn.name)


def snn_out(snn: Snn) -> SnnOut:
    """Return a network as the API gives it."""
    base = f"/v1/snns/{snn.id}"
    values: dict[str, Any] = {
        name: getattr(snn, name) for name in SnnOut.model_fields if name != "links"
    }
    values["links"] = {
        "self": base,
        "content": f"{base}/content",
        "report": f"{base}/report",
        "curve": f"{base}/curve",
        "nir": f"{base}/exports/nir",
        "step": f"{base}/exports/step",
        "npz": f"{base}/exports/npz",
        "job": f"/v1/jobs/{snn.job_id}",
    }
    return SnnOut.model_validate(values)


def _report_file(service: Service, owner: str, snn_id: str, name: str) -> JobFile:
    with service.context.sessions() as session:
        snn: Snn = require(session, Snn, owner, snn_id, "spiking network")
        file = session.get(JobFile, (snn.report_job_id, name))
    if file is None:
        raise Problem("not-found", "the report has been deleted with its job")
    return file


def _evaluation(service: Service, owner: str, snn_id: str) -> dict[str, Any]:
    file = _report_file(service, owner, snn_id, "report.json")
    report = json.loads(b"".join(service.context.store.read(file.sha256)))
    evaluation: dict[str, Any] | None = report.get("evaluation")
    if evaluation is None:
        raise Problem(
            "not-found",
            "this network has not been measured",
            remedy="ask for an evaluation: POST /v1/evaluations",
        )
    return evaluation

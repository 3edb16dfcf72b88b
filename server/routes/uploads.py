"""Uploads in parts: large files over shaky lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from onnx2snn.server.arrivals import add_dataset, add_model
from onnx2snn.server.blobs import announce
from onnx2snn.server.database.tables import Upload, UploadPart
from onnx2snn.server.names import display_name
from onnx2snn.server.problems import Problem
from onnx2snn.server.routes.models import model_out
from onnx2snn.server.schemas import (
    CompleteRequest,
    DatasetOut,
    IdPath,
    ModelOut,
    PartOut,
    UploadOut,
    UploadRequest,
)
from onnx2snn.server.service import Service, TheService
from onnx2snn.server.store import too_large
from onnx2snn.server.submit import Owner, check_stored_bytes

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])
PartNumber = Annotated[int, Path(ge=1, le=10_000)]
MAX_OPEN_UPLOADS = 100
PART_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, operation_id="startUpload")
def start_upload(
    service: TheService, owner: Owner, body: UploadRequest, response: Response
) -> UploadOut:
    """Start an upload; send its parts next, in any order, again if one fails."""
    with service.context.sessions() as session, session.begin():
        count = select(func.count()).select_from(Upload).where(Upload.owner == owner)
        if (session.scalar(count) or 0) >= MAX_OPEN_UPLOADS:
            raise Problem(
                "quota-exceeded",
                f"at most {MAX_OPEN_UPLOADS} uploads may be open",
                remedy="complete or delete some",
                retry_after=60,
            )
        upload = Upload(
            id=uuid4().hex, owner=owner, kind=body.kind, name=display_name(body.name, "upload")
        )
        session.add(upload)
    response.headers["Location"] = f"/v1/uploads/{upload.id}"
    return UploadOut(id=upload.id, kind=body.kind, name=upload.name, parts=[])


@router.get("/{upload_id}", operation_id="getUpload")
def get_upload(service: TheService, owner: Owner, upload_id: IdPath) -> UploadOut:
    """Return which parts have arrived."""
    with service.context.sessions() as session:
        upload = _upload(session, owner, upload_id)
        parts = [PartOut.model_validate(part) for part in _parts(session, upload_id)]
    return UploadOut.model_validate(
        {"id": upload.id, "kind": upload.kind, "name": upload.name, "parts": parts}
    )


@router.put("/{upload_id}/parts/{number}", operation_id="putUploadPart", openapi_extra=PART_BODY)
async def put_part(
    service: TheService, owner: Owner, upload_id: IdPath, number: PartNumber, request: Request
) -> PartOut:
    """Send one part as the body; sending it again replaces it."""
    with service.context.sessions() as session:
        _upload(session, owner, upload_id)
    received = await service.context.store.receive(request.stream())
    try:
        if not received.size:
            raise Problem("invalid-request", "the part is empty", remedy="send it as the body")
        announce(service.context, (received.sha256, received.size, "application/octet-stream"))
        check_stored_bytes(service, owner, received.size)
        service.context.store.keep(received)
    finally:
        received.path.unlink(missing_ok=True)
    with service.context.sessions() as session, session.begin():
        _upload(session, owner, upload_id)
        others = sum(p.size for p in _parts(session, upload_id) if p.number != number)
        if others + received.size > service.context.settings.max_upload_bytes:
            raise too_large(service.context.settings.max_upload_bytes)
        part = UploadPart(
            upload_id=upload_id, number=number, sha256=received.sha256, size=received.size
        )
        session.merge(part)
    return PartOut(number=number, size=received.size, sha256=received.sha256)


@router.post("/{upload_id}:complete", status_code=201, operation_id="completeUpload")
async def complete_upload(
    service: TheService, owner: Owner, upload_id: IdPath, body: CompleteRequest, response: Response
) -> ModelOut | DatasetOut:
    """Join the parts to a model or a data set."""
    with service.context.sessions() as session:
        upload = _upload(session, owner, upload_id)
        parts = _parts(session, upload_id)
    if [part.number for part in parts] != list(range(1, len(parts) + 1)) or not parts:
        raise Problem(
            "conflict", "parts are missing", remedy="send parts 1, 2, 3 ... without a gap"
        )
    received = await service.context.store.receive(_joined(service, parts))
    if body.sha256 is not None and received.sha256 != body.sha256:
        received.path.unlink(missing_ok=True)
        raise Problem(
            "length-mismatch", "the parts do not have this SHA-256", remedy="send them again"
        )
    answer: ModelOut | DatasetOut
    if upload.kind == "model":
        answer = model_out(await add_model(service, owner, received, upload.name))
        response.headers["Location"] = f"/v1/models/{answer.id}"
    else:
        dataset = await add_dataset(service, owner, received, upload.name)
        answer = DatasetOut.model_validate(dataset)
        response.headers["Location"] = f"/v1/datasets/{answer.id}"
    _drop(service, owner, upload_id)
    return answer


@router.delete("/{upload_id}", status_code=204, operation_id="deleteUpload")
def delete_upload(service: TheService, owner: Owner, upload_id: IdPath) -> None:
    """Give an upload up."""
    with service.context.sessions() as session:
        _upload(session, owner, upload_id)
    _drop(service, owner, upload_id)


def _drop(service: Service, owner: str, upload_id: str) -> None:
    with service.context.sessions() as session, session.begin():
        session.execute(delete(Upload).where(Upload.owner == owner, Upload.id == upload_id))


async def _joined(service: Service, parts: list[UploadPart]) -> AsyncIterator[bytes]:
    for part in parts:
        for chunk in service.context.store.read(part.sha256):
            yield chunk


def _upload(session: Session, owner: str, upload_id: str) -> Upload:
    upload = session.get(Upload, upload_id)
    if upload is None or upload.owner != owner:
        raise Problem("not-found", f"there is no upload {upload_id}")
    return upload


def _parts(session: Session, upload_id: str) -> list[UploadPart]:
    query = select(UploadPart).where(UploadPart.upload_id == upload_id)
    return list(session.scalars(query.order_by(UploadPart.number)))

"""Models: upload, list, look into, check, delete."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import delete, select

from onnx2snn.server.arrivals import add_model, receive_file
from onnx2snn.server.database.tables import Check, Model, now
from onnx2snn.server.file_answers import file_answer
from onnx2snn.server.names import stored_name
from onnx2snn.server.pages import PageSize, PageToken, read_page
from onnx2snn.server.problems import Problem
from onnx2snn.server.sandbox import KilledError
from onnx2snn.server.schemas import (
    CheckOut,
    CheckRequest,
    GraphOut,
    ModelDetails,
    ModelOut,
    ModelPage,
    Sha256Path,
)
from onnx2snn.server.service import Service, TheService
from onnx2snn.server.submit import Owner, require

router = APIRouter(prefix="/v1/models", tags=["models"])
FileName = Annotated[str, Query(max_length=300, description="Name of the file.")]
FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


@router.post("", status_code=201, operation_id="uploadModel", openapi_extra=FILE_BODY)
async def upload_model(
    service: TheService, owner: Owner, request: Request, response: Response, name: FileName = ""
) -> ModelOut:
    """Upload a model: the file as the body, or as ``file`` of a form. Its id is its SHA-256."""
    received, given = await receive_file(service, request, name)
    model = await add_model(service, owner, received, given)
    response.headers["Location"] = f"/v1/models/{model.id}"
    return model_out(model)


@router.get("", operation_id="listModels")
def list_models(
    service: TheService, owner: Owner, page_size: PageSize = 50, page_token: PageToken = ""
) -> ModelPage:
    """List your models, the newest first."""
    with service.context.sessions() as session:
        query = select(Model).where(Model.owner == owner)
        rows, token = read_page(session, query, Model, page_size, page_token)
    return ModelPage(items=[model_out(row) for row in rows], next_page_token=token)


@router.get("/{model_id}", operation_id="getModel")
def get_model(service: TheService, owner: Owner, model_id: Sha256Path) -> ModelDetails:
    """Return a model, with its last check if there has been one."""
    with service.context.sessions() as session:
        model = require(session, Model, owner, model_id, "model")
        report = session.scalar(
            select(Check.report)
            .where(Check.model_id == model_id)
            .order_by(Check.created_at.desc())
            .limit(1)
        )
    check = None if report is None else CheckOut.model_validate(json.loads(report))
    return ModelDetails(**model_out(model).model_dump(), check=check)


@router.get("/{model_id}/content", operation_id="downloadModel", response_class=Response)
def download_model(
    service: TheService, owner: Owner, model_id: Sha256Path, request: Request
) -> Response:
    """Return the file; ranges and ETags work."""
    with service.context.sessions() as session:
        model = require(session, Model, owner, model_id, "model")
    name = stored_name(model.name, ".onnx")
    return file_answer(request, service.context.store, model.id, model.size, name=name)


@router.get("/{model_id}/graph", operation_id="getModelGraph")
async def get_graph(service: TheService, owner: Owner, model_id: Sha256Path) -> GraphOut:
    """Return nodes and edges, each node with what would become of it (preset ``graded``)."""
    report = await check_report(service, owner, model_id, CheckRequest())
    graph = report["graph"] or {"nodes": [], "edges": [], "truncated": False}
    fates = {fate["node"]: fate for fate in report["nodes"]}
    nodes = [
        {
            **node,
            "fate": fates.get(node["name"], {}).get("fate", "unknown"),
            "detail": fates.get(node["name"], {}).get("detail", ""),
        }
        for node in graph["nodes"]
    ]
    return GraphOut(nodes=nodes, edges=graph["edges"], truncated=graph["truncated"])


@router.post("/{model_id}:check", operation_id="checkModel")
async def check_model(
    service: TheService, owner: Owner, model_id: Sha256Path, body: CheckRequest
) -> CheckOut:
    """Tell node by node what a conversion would make of a model, without converting it."""
    return CheckOut.model_validate(await check_report(service, owner, model_id, body))


@router.delete("/{model_id}", status_code=204, operation_id="deleteModel")
def delete_model(service: TheService, owner: Owner, model_id: Sha256Path) -> None:
    """Delete a model. Networks made from it stay."""
    with service.context.sessions() as session, session.begin():
        require(session, Model, owner, model_id, "model")
        session.execute(delete(Model).where(Model.owner == owner, Model.id == model_id))


async def check_report(
    service: Service, owner: str, model_id: str, body: CheckRequest
) -> dict[str, Any]:
    """Return the account of a check, from the table if it has run before.

    Raises:
        Problem: there is no such model, or the check hit a limit.
    """
    key = (model_id, body.preset, body.strict, service.context.version)
    with service.context.sessions() as session, session.begin():
        model = require(session, Model, owner, model_id, "model")
        model.used_at = now()
        known = session.get(Check, key)
    if known is not None:
        return _load(known.report)
    report = await service.in_sandbox(lambda: _check(service, model, body))
    with service.context.sessions() as session, session.begin():
        preset, strict, version = key[1:]
        session.merge(
            Check(
                model_id=model_id, preset=preset, strict=strict, version=version,
                report=json.dumps(report), created_at=now(),
            )
        )  # fmt: skip
    return report


def _load(text: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(text)
    return report


def _check(service: Service, model: Model, body: CheckRequest) -> dict[str, Any]:
    context = service.context
    with context.sandbox.workplace() as place:
        name = stored_name(model.name, ".onnx")
        context.store.fetch(model.id, place.inputs / name)
        try:
            report: dict[str, Any] = context.sandbox.run(
                place,
                "check",
                {"model": name, "preset": body.preset, "strict": body.strict},
                seconds=context.settings.check_seconds,
            )
        except KilledError as error:
            raise Problem(
                "killed", "the check was killed", remedy="try again", retry_after=5
            ) from error
    return report


def model_out(model: Model) -> ModelOut:
    """Return a model as the API gives it."""
    base = f"/v1/models/{model.id}"
    return ModelOut(
        id=model.id,
        name=model.name,
        size=model.size,
        created_at=model.created_at,
        links={"self": base, "content": f"{base}/content", "graph": f"{base}/graph"},
    )

"""The quick path: one request in, the spiking network out."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from onnx2snn.server.arrivals import add_dataset, add_model, chunks_of
from onnx2snn.server.database.tables import Job, Snn
from onnx2snn.server.job_states import UNFINISHED
from onnx2snn.server.problem_handlers import invalid_request
from onnx2snn.server.problems import Problem
from onnx2snn.server.routes.jobs import accepted, job_out
from onnx2snn.server.routes.snns import snn_file
from onnx2snn.server.schemas import ConversionRequest
from onnx2snn.server.service import Service, TheService
from onnx2snn.server.submit import IdempotencyKey, Owner, new_job, require_inputs, submit

router = APIRouter(prefix="/v1", tags=["work"])
_FILES = ("model", "calibration")
_TRUTHS = {"true": True, "false": False}
FORM_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["model"],
                    "properties": {
                        "model": {"type": "string", "format": "binary"},
                        "calibration": {"type": "string", "format": "binary"},
                        "preset": {"type": "string", "default": "graded"},
                        "timesteps": {"type": "integer", "minimum": 1, "maximum": 4096},
                        "max_loss": {"type": "number", "minimum": 0, "maximum": 1},
                        "strict": {"type": "boolean"},
                        "evaluate": {"type": "boolean", "default": False},
                    },
                }
            }
        },
    },
    "responses": {
        "200": {
            "description": "The spiking network.",
            "content": {"application/octet-stream": {}},
        },
        "202": {"description": "It takes longer: follow the job.", "content": {}},
    },
}


@router.post("/convert", operation_id="convertNow", openapi_extra=FORM_BODY)
async def convert_now(
    service: TheService, owner: Owner, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """Convert a model; answers with the ``.snn.onnx`` file if it is ready in time, else 202."""
    form = await request.form(max_files=2, max_fields=20)
    try:
        body = await _read(service, owner, form)
    finally:
        await form.close()
    config = body.model_dump(mode="json")
    job = await anyio.to_thread.run_sync(
        lambda: _accept(service, owner, config, request, body, idempotency_key)
    )
    job = await _wait(service, job.id)
    if job.state == "failed":
        raise Problem.from_document(job.error or {})
    if job.state == "succeeded":
        with service.context.sessions() as session:
            snn = session.get(Snn, (owner, job.snn_id or ""))
        if snn is not None:
            answer = snn_file(service, snn, request)
            answer.headers["Content-Location"] = f"/v1/snns/{snn.id}/content"
            answer.headers["Link"] = f'</v1/jobs/{job.id}>; rel="describedby"'
            return answer
    response = JSONResponse(job_out(job).model_dump(mode="json"))
    accepted(response, job)
    return response


def _accept(
    service: Service,
    owner: str,
    config: dict[str, Any],
    request: Request,
    body: ConversionRequest,
    key: str | None,
) -> Job:
    require_inputs(service, owner, config)
    job = new_job(owner, "conversion", config, model_id=body.model_id)
    return submit(service, owner, [job], request, body.model_dump_json(), key)


async def _read(service: Service, owner: str, form: FormData) -> ConversionRequest:
    """Store the files of the form and return the request that it stands for."""
    options: dict[str, Any] = {"evaluate": False}
    for name, value in form.items():
        if name not in _FILES:
            options[name] = _TRUTHS.get(value, value) if isinstance(value, str) else value
    model = form.get("model")
    if not isinstance(model, UploadFile):
        raise Problem(
            "invalid-request", "the form has no model", remedy="send the file in the field 'model'"
        )
    try:  # before the files are stored, so that a bad option costs nothing
        ConversionRequest.model_validate({**options, "model_id": "0" * 64})
    except ValidationError as error:
        raise invalid_request(error.errors()) from error
    received = await service.context.store.receive(chunks_of(model))
    stored = await add_model(service, owner, received, model.filename or "")
    options["model_id"] = stored.id
    calibration = form.get("calibration")
    if isinstance(calibration, UploadFile):
        data = await service.context.store.receive(chunks_of(calibration))
        name = calibration.filename or ""
        options["calibration_id"] = (await add_dataset(service, owner, data, name)).id
    return ConversionRequest.model_validate(options)


async def _wait(service: Service, job_id: str) -> Job:
    """Return the job once it has ended, or as it is when the patience of the service ends."""
    deadline = time.monotonic() + service.context.settings.quick_seconds

    def read() -> Job:
        with service.context.sessions() as session:
            return session.get_one(Job, job_id)

    while True:
        job = await anyio.to_thread.run_sync(read)
        if job.state not in UNFINISHED or time.monotonic() > deadline:
            return job
        await asyncio.sleep(0.1)

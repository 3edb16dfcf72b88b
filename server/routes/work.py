"""Ask for work: conversions, evaluations, simulations, batches."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from onnx2snn.server.database.tables import Model, Snn
from onnx2snn.server.problems import Problem
from onnx2snn.server.routes.jobs import accepted, job_out
from onnx2snn.server.schemas import (
    BatchRequest,
    ConversionRequest,
    EvaluationRequest,
    JobOut,
    SimulationRequest,
)
from onnx2snn.server.service import Service, TheService
from onnx2snn.server.submit import (
    IdempotencyKey,
    Owner,
    new_job,
    require,
    require_inputs,
    submit,
)

router = APIRouter(prefix="/v1", tags=["work"])


@router.post("/conversions", status_code=202, operation_id="createConversion")
def create_conversion(
    service: TheService,
    owner: Owner,
    body: ConversionRequest,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Convert a model into a spiking network."""
    config = body.model_dump(mode="json")
    require_inputs(service, owner, config)
    job = new_job(owner, "conversion", config, model_id=body.model_id)
    job = submit(service, owner, [job], request, body.model_dump_json(), idempotency_key)
    accepted(response, job)
    return job_out(job)


@router.post("/evaluations", status_code=202, operation_id="createEvaluation")
def create_evaluation(
    service: TheService,
    owner: Owner,
    body: EvaluationRequest,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Measure a spiking network against its ANN on a data set."""
    require_inputs(service, owner, body.model_dump(mode="json"))
    config = {
        "evaluation_id": body.dataset_id,
        "evaluation_samples": body.samples,
        "evaluation_timesteps": body.timesteps,
        "calibration_id": body.calibration_id,
        "backend": body.backend,
        "early_exit": None if body.early_exit is None else body.early_exit.model_dump(),
        "label": body.label,
    }
    model_id = _model_of(service, owner, body.snn_id)
    job = new_job(owner, "evaluation", config, model_id=model_id, snn_id=body.snn_id)
    job = submit(service, owner, [job], request, body.model_dump_json(), idempotency_key)
    accepted(response, job)
    return job_out(job)


@router.post("/simulations", status_code=202, operation_id="createSimulation")
def create_simulation(
    service: TheService,
    owner: Owner,
    body: SimulationRequest,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Run a spiking network over samples and keep its outputs and spikes."""
    config = body.model_dump(mode="json")
    require_inputs(service, owner, config)
    job = new_job(owner, "simulation", config, snn_id=body.snn_id)
    job = submit(service, owner, [job], request, body.model_dump_json(), idempotency_key)
    accepted(response, job)
    return job_out(job)


@router.post("/batches", status_code=202, operation_id="createBatch")
def create_batch(
    service: TheService,
    owner: Owner,
    body: BatchRequest,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Convert many models with the same options; each is a job of its own."""
    most = service.context.settings.max_batch
    if len(body.model_ids) > most:
        raise Problem("invalid-request", f"a batch may have {most} models", remedy="split it")
    config = body.model_dump(mode="json", exclude={"model_ids"})
    require_inputs(service, owner, config)
    model_ids = list(dict.fromkeys(body.model_ids))
    _require_models(service, owner, model_ids)
    batch = new_job(owner, "batch", {**config, "models": len(model_ids)})
    children = [
        new_job(owner, "conversion", {**config, "model_id": model_id},
                model_id=model_id, parent_id=batch.id)
        for model_id in model_ids
    ]  # fmt: skip
    text = body.model_dump_json()
    job = submit(service, owner, [batch, *children], request, text, idempotency_key)
    accepted(response, job)
    return job_out(job)


def _model_of(service: Service, owner: str, snn_id: str) -> str:
    with service.context.sessions() as session:
        snn: Snn = require(session, Snn, owner, snn_id, "spiking network")
        require(session, Model, owner, snn.model_id, "model")
        return snn.model_id


def _require_models(service: Service, owner: str, model_ids: list[str]) -> None:
    with service.context.sessions() as session:
        known: set[str] = set()
        for start in range(0, len(model_ids), 500):
            some = model_ids[start : start + 500]
            query = select(Model.id).where(Model.owner == owner, Model.id.in_(some))
            known |= set(session.scalars(query))
    missing = [model_id for model_id in model_ids if model_id not in known]
    if missing:
        raise Problem(
            "not-found",
            f"{len(missing)} of the models are not there, the first is {missing[0]}",
            remedy="upload them first",
        )

"""Is the service alive, is it fit, what has it done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from fastapi import APIRouter, Response
from sqlalchemy import func, select, text

from onnx2snn.server.database.tables import Worker, now
from onnx2snn.server.housekeeping import count_jobs
from onnx2snn.server.problems import Problem
from onnx2snn.server.schemas import Health
from onnx2snn.server.service import Service, TheService
from onnx2snn.server.submit import Owner

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="health")
async def health(service: TheService) -> Health:
    """Say that the process answers."""
    return Health(status="ok", version=service.context.version)


@router.get("/readyz", operation_id="readiness", responses={503: {"model": Health}})
def readiness(service: TheService, response: Response) -> Health:
    """Say whether database, file store and a worker are there."""
    checks: dict[str, Callable[[Service], str]] = {
        "database": _database,
        "store": _store,
        "workers": _workers,
    }
    parts = {name: check(service) for name, check in checks.items()}
    failing = any(told != "ok" for told in parts.values())
    if failing:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return Health(
        status="failing" if failing else "ok", version=service.context.version, parts=parts
    )


@router.get("/metrics", operation_id="metrics", response_class=Response)
def metrics(service: TheService, owner: Owner) -> Response:
    """Return the metrics in Prometheus' text format."""
    count_jobs(service.context)
    return Response(service.context.metrics.text(), media_type="text/plain; version=0.0.4")


def _database(service: Service) -> str:
    try:
        with service.context.sessions() as session:
            session.execute(text("SELECT 1"))
    except Exception as error:
        return f"failing: {type(error).__name__}"
    return "ok"


def _store(service: Service) -> str:
    try:
        service.context.store.probe()
    except Problem as problem:
        return f"failing: {problem.code}"
    return "ok"


def _workers(service: Service) -> str:
    """Some worker, here or elsewhere, has been heard of lately."""
    silent = now() - timedelta(seconds=service.context.settings.takeover_seconds)
    try:
        with service.context.sessions() as session:
            count = session.scalar(select(func.count()).where(Worker.seen_at >= silent))
    except Exception as error:
        return f"failing: {type(error).__name__}"
    return "ok" if count else "failing: no worker is alive"

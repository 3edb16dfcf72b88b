"""Accept jobs: quotas, idempotency, the row that makes a job durable."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from uuid import uuid4

import structlog
from fastapi import Depends, Header
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.requests import Request

from onnx2snn.server.api_keys import owner_of
from onnx2snn.server.database.tables import Dataset, IdempotentRequest, Job, Model, Snn
from onnx2snn.server.job_states import UNFINISHED, record
from onnx2snn.server.problems import Problem
from onnx2snn.server.service import Service

LOG = structlog.get_logger("jobs")
Owner = Annotated[str, Depends(owner_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="The same request with the same key is one job.",
    ),
]


def submit(
    service: Service,
    owner: str,
    jobs: list[Job],
    request: Request,
    body: str,
    key: str | None,
) -> Job:
    """Accept jobs, all or none; the first stands for them all.

    Args:
        service: that runs them.
        owner: whose they are.
        jobs: rows, not yet stored; a batch comes first.
        request: that asks for them.
        body: its content, for the comparison of requests with the same key.
        key: idempotency key.

    Raises:
        Problem: a quota is used up, or the key has been used for another request.
    """
    fingerprint = hashlib.sha256(f"{request.url.path}\n{body}".encode()).hexdigest()
    with service.context.sessions() as session:
        known = _known(session, owner, key, fingerprint)
        if known is not None:
            return known
        _check_quotas(service, session, owner, len(jobs))
        for job in jobs:
            session.add(job)
        session.flush()
        for job in jobs:
            record(session, job.id, "state", state="queued", error=None)
        if key is not None:
            session.add(
                IdempotentRequest(owner=owner, key=key, fingerprint=fingerprint, job_id=jobs[0].id)
            )
        try:
            session.commit()
        except IntegrityError:  # the same key, at the same time
            session.rollback()
            known = _known(session, owner, key, fingerprint)
            if known is None:
                raise
            return known
    service.housekeeping.wake()
    LOG.info("accepted", job_id=jobs[0].id, kind=jobs[0].kind, jobs=len(jobs))
    return jobs[0]


def new_job(owner: str, kind: str, config: dict[str, Any], **fields: Any) -> Job:
    """Return the row of a job that waits."""
    label = str(config.pop("label", ""))
    return Job(
        id=uuid4().hex, owner=owner, kind=kind, state="queued", config=config, label=label, **fields
    )


def require(session: Session, table: Any, owner: str, row_id: str | None, what: str) -> Any:
    """Return the owner's row.

    Raises:
        Problem: there is none.
    """
    row = session.get(table, (owner, row_id or ""))
    if row is None:
        raise Problem("not-found", f"there is no {what} {row_id}", remedy="upload it first")
    return row


def require_inputs(service: Service, owner: str, config: dict[str, Any]) -> None:
    """Check that everything a job refers to is there.

    Raises:
        Problem: something is not.
    """
    tables = {
        "model_id": (Model, "model"),
        "snn_id": (Snn, "spiking network"),
        "calibration_id": (Dataset, "data set"),
        "evaluation_id": (Dataset, "data set"),
        "dataset_id": (Dataset, "data set"),
    }
    with service.context.sessions() as session:
        for name, (table, what) in tables.items():
            if config.get(name):
                require(session, table, owner, config[name], what)
    exit_rule = config.get("early_exit")
    if exit_rule and exit_rule["threshold"] is None and not config.get("calibration_id"):
        raise Problem(
            "invalid-request",
            "early exit needs calibration data or a threshold",
            remedy="give calibration_id or early_exit.threshold",
        )
    if config.get("max_loss") is not None and not config.get("calibration_id"):
        raise Problem(
            "invalid-request", "max_loss needs calibration data", remedy="give calibration_id"
        )


def _known(session: Session, owner: str, key: str | None, fingerprint: str) -> Job | None:
    if key is None:
        return None
    before = session.get(IdempotentRequest, (owner, key))
    if before is None:
        return None
    if before.fingerprint != fingerprint:
        raise Problem(
            "idempotency-mismatch",
            "this Idempotency-Key was used for another request",
            remedy="use a new key for a new request",
        )
    job = session.get(Job, before.job_id)
    if job is None:
        raise Problem("not-found", "the job of this Idempotency-Key has been deleted")
    return job


def _check_quotas(service: Service, session: Session, owner: str, wanted: int) -> None:
    settings = service.context.settings
    waiting = select(func.count()).select_from(Job).where(Job.state.in_(UNFINISHED))
    if (session.scalar(waiting) or 0) + wanted > settings.max_queued:
        raise Problem("overloaded", "the queue is full", remedy="try again later", retry_after=30)
    if (session.scalar(waiting.where(Job.owner == owner)) or 0) + wanted > (
        settings.max_queued_per_key
    ):
        raise Problem(
            "quota-exceeded",
            f"at most {settings.max_queued_per_key} jobs may wait or run",
            remedy="wait for some of them to end",
            retry_after=30,
        )


def check_stored_bytes(service: Service, owner: str, more: int) -> None:
    """Check the quota of stored bytes.

    Raises:
        Problem: it is used up.
    """
    settings = service.context.settings
    with service.context.sessions() as session:
        stored = sum(
            int(session.scalar(select(func.sum(table.size)).where(table.owner == owner)) or 0)
            for table in (Model, Dataset)
        )
    if stored + more > settings.max_stored_bytes_per_key:
        raise Problem(
            "quota-exceeded",
            f"at most {settings.max_stored_bytes_per_key} bytes may be stored",
            remedy="delete models and data sets that you no longer need",
            retry_after=3600,
        )

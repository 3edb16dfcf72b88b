"""What happens to a job: the only code that changes its state. Every change is an event, too."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from onnx2snn.server.context import Context
from onnx2snn.server.database.tables import Job, JobEvent, now
from onnx2snn.server.problems import Problem

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
UNFINISHED = ("queued", "running")


def record(session: Session, job_id: str, kind: str, **data: Any) -> None:
    """Append an event."""
    session.add(JobEvent(job_id=job_id, kind=kind, data=data))


def is_of_batch(context: Context, job_id: str) -> bool:
    """Return whether a job belongs to a batch."""
    with context.sessions() as session:
        return session.scalar(select(Job.parent_id).where(Job.id == job_id)) is not None


def begin(context: Context, job_id: str, attempt: int) -> bool:
    """Mark a job as running here; return whether it should run at all."""
    with context.sessions() as session, session.begin():
        job = session.get(Job, job_id, with_for_update=True)
        if job is None or job.attempt != attempt or job.state not in UNFINISHED:
            return False
        if job.cancel_requested:
            _finish(context, session, job, "cancelled")
            return False
        if job.state == "running" and job.worker_id:
            record(session, job_id, "log", message="started again after an interruption")
        job.state, job.worker_id = "running", context.settings.worker_id
        job.started_at = job.started_at or now()
        job.version = context.version
        record(session, job_id, "state", state="running")
        return True


def advance(context: Context, job_id: str, attempt: int, step: str, progress: float) -> None:
    """Say what a running job does."""
    with context.sessions() as session, session.begin():
        changed = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.state == "running", Job.attempt == attempt)
            .values(step=step, progress=progress)
            .returning(Job.id)
        )
        if changed.first() is not None:
            record(session, job_id, "progress", step=step, progress=progress)


def tell(context: Context, job_id: str, message: str) -> None:
    """Write a line into the job's log."""
    with context.sessions() as session, session.begin():
        if session.get(Job, job_id) is not None:
            record(session, job_id, "log", message=message)


def finish(
    context: Context, job_id: str, attempt: int, state: State, problem: Problem | None = None
) -> None:
    """End a job, once."""
    with context.sessions() as session, session.begin():
        job = session.get(Job, job_id, with_for_update=True)
        if job is None or job.attempt != attempt or job.state not in UNFINISHED:
            return
        if problem is not None:
            job.error = problem.document().model_dump(mode="json")
            context.metrics.failures.labels(problem.code).inc()
        _finish(context, session, job, state)


def _finish(context: Context, session: Session, job: Job, state: State) -> None:
    job.state, job.finished_at = state, now()
    if state == "succeeded":
        job.progress = 1.0
    record(session, job.id, "state", state=state, error=job.error)
    session.flush()
    if job.parent_id is not None:
        settle_batch(session, job.parent_id)


def cancel_requested(context: Context, job_id: str, attempt: int) -> bool:
    """Return whether somebody wants a job, or this attempt of it, to end."""
    with context.sessions() as session:
        row = session.execute(
            select(Job.cancel_requested, Job.attempt).where(Job.id == job_id)
        ).first()
    return row is None or row[0] or row[1] != attempt


def request_cancel(context: Context, session: Session, job: Job) -> None:
    """Cancel a job: at once if it waits, else its worker will notice.

    Raises:
        Problem: it has ended.
    """
    if job.state not in UNFINISHED:
        raise Problem("conflict", f"the job has already {_ended(job.state)}")
    job.cancel_requested = True
    record(session, job.id, "log", message="cancellation requested")
    if job.kind == "batch":
        children = session.scalars(
            select(Job).where(Job.parent_id == job.id, Job.state.in_(UNFINISHED))
        )
        for child in children:
            child.cancel_requested = True
            if child.state == "queued":
                child.state, child.finished_at = "cancelled", now()
                record(session, child.id, "state", state="cancelled", error=None)
        session.flush()
        settle_batch(session, job.id)
    elif job.state == "queued":
        _finish(context, session, job, "cancelled")


def request_retry(session: Session, job: Job) -> None:
    """Run a failed or cancelled job again.

    Raises:
        Problem: it has not ended, or ended well.
    """
    if job.state not in ("failed", "cancelled") or job.kind == "batch":
        raise Problem(
            "conflict",
            f"a {job.kind} job that is {job.state} cannot be run again",
            remedy="only failed and cancelled jobs can; retry the models of a batch one by one",
        )
    queue_again(session, job)


def queue_again(session: Session, job: Job) -> None:
    """Make the next attempt at a job wait for its turn."""
    job.attempt += 1
    job.state, job.error, job.result = "queued", None, None
    job.cancel_requested, job.enqueued_at, job.worker_id = False, None, None
    job.started_at, job.finished_at, job.step, job.progress = None, None, "", 0.0
    record(session, job.id, "state", state="queued", error=None)


def settle_batch(session: Session, batch_id: str) -> None:
    """Bring a batch's account up to date; end it when its last job has ended."""
    batch = session.get(Job, batch_id, with_for_update=True)
    if batch is None:
        return
    rows = session.execute(
        select(Job.state, func.count()).where(Job.parent_id == batch_id).group_by(Job.state)
    )
    counts: dict[str, int] = {state: number for state, number in rows}
    total = sum(counts.values())
    ended = total - sum(counts.get(state, 0) for state in UNFINISHED)
    batch.progress = ended / total if total else 1.0
    batch.step = f"{ended} of {total}"
    if batch.state == "queued" and ended < total:
        batch.state, batch.started_at = "running", now()
        record(session, batch_id, "state", state="running")
    if ended < total:
        record(session, batch_id, "progress", step=batch.step, progress=batch.progress)
    elif batch.state in UNFINISHED:
        batch.state = "cancelled" if batch.cancel_requested else "succeeded"
        batch.finished_at = now()
        batch.result = {"counts": counts, "failures": _failures(session, batch_id)}
        record(session, batch_id, "state", state=batch.state, error=None)


def _failures(session: Session, batch_id: str) -> dict[str, int]:
    """Return the number of failed jobs by code."""
    errors = session.scalars(
        select(Job.error).where(Job.parent_id == batch_id, Job.state == "failed")
    )
    return dict(Counter(str((error or {}).get("code", "error")) for error in errors))


def _ended(state: str) -> str:
    return {"succeeded": "succeeded", "failed": "failed"}.get(state, "been cancelled")

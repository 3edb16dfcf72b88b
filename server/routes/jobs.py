"""Jobs: ask for them, follow them, cancel them, run them again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from onnx2snn.server import job_states
from onnx2snn.server.database.tables import Job, JobEvent, JobFile
from onnx2snn.server.events import follow, last_event_id
from onnx2snn.server.file_answers import file_answer
from onnx2snn.server.job_steps import steps_of
from onnx2snn.server.pages import PageSize, PageToken, read_page
from onnx2snn.server.problems import Problem
from onnx2snn.server.schemas import IdPath, JobKind, JobOut, JobPage, JobState
from onnx2snn.server.service import TheService
from onnx2snn.server.submit import Owner

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("", operation_id="listJobs")
def list_jobs(
    service: TheService,
    owner: Owner,
    kind: JobKind | None = None,
    state: JobState | None = None,
    label: Annotated[str | None, Query(max_length=200)] = None,
    parent_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> JobPage:
    """List your jobs, the newest first; those of a batch only when asked for by ``parent_id``."""
    query = select(Job).where(Job.owner == owner, Job.parent_id == parent_id)
    for column, value in ((Job.kind, kind), (Job.state, state), (Job.label, label)):
        if value is not None:
            query = query.where(column == value)
    with service.context.sessions() as session:
        rows, token = read_page(session, query, Job, page_size, page_token)
    return JobPage(items=[job_out(row) for row in rows], next_page_token=token)


@router.get("/{job_id}", operation_id="getJob")
def get_job(service: TheService, owner: Owner, job_id: IdPath, response: Response) -> JobOut:
    """Return a job: state, progress, error, results."""
    with service.context.sessions() as session:
        job = find_job(session, owner, job_id)
    if job.state in job_states.UNFINISHED:
        response.headers["Retry-After"] = "1"
    return job_out(job)


@router.get(
    "/{job_id}/events",
    operation_id="streamJobEvents",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
def stream_events(
    service: TheService, owner: Owner, job_id: IdPath, request: Request
) -> StreamingResponse:
    """Follow a job as server-sent events; with ``Last-Event-ID`` from where you left off."""
    with service.context.sessions() as session:
        find_job(session, owner, job_id)
    return StreamingResponse(
        follow(service, job_id, last_event_id(request)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/{job_id}/logs", operation_id="getJobLogs", response_class=PlainTextResponse)
def get_logs(service: TheService, owner: Owner, job_id: IdPath) -> PlainTextResponse:
    """Return what happened to a job, as text."""
    with service.context.sessions() as session:
        find_job(session, owner, job_id)
        query = select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.id)
        lines = [f"{event.at.isoformat()} {_line(event)}" for event in session.scalars(query)]
    return PlainTextResponse("\n".join(lines) + "\n")


@router.get("/{job_id}/files/{name}", operation_id="downloadJobFile", response_class=Response)
def download_file(
    service: TheService,
    owner: Owner,
    job_id: IdPath,
    name: str,
    request: Request,
) -> Response:
    """Return a file that a job has made, such as ``simulation.npz``."""
    with service.context.sessions() as session:
        find_job(session, owner, job_id)
        file = session.get(JobFile, (job_id, name))
    if file is None:
        raise Problem("not-found", "the job has made no file of this name")
    return file_answer(
        request,
        service.context.store,
        file.sha256,
        file.size,
        name=name,
        media_type=file.media_type,
    )


@router.post("/{job_id}:cancel", operation_id="cancelJob")
def cancel_job(service: TheService, owner: Owner, job_id: IdPath) -> JobOut:
    """End a job that waits or runs."""
    with service.context.sessions() as session, session.begin():
        job = find_job(session, owner, job_id, lock=True)
        job_states.request_cancel(service.context, session, job)
        return job_out(job)


@router.post("/{job_id}:retry", status_code=202, operation_id="retryJob")
def retry_job(service: TheService, owner: Owner, job_id: IdPath, response: Response) -> JobOut:
    """Run a failed or cancelled job again."""
    with service.context.sessions() as session, session.begin():
        job = find_job(session, owner, job_id, lock=True)
        job_states.request_retry(session, job)
        answer = job_out(job)
    service.housekeeping.wake()
    accepted(response, job)
    return answer


@router.delete("/{job_id}", status_code=204, operation_id="deleteJob")
def delete_job(service: TheService, owner: Owner, job_id: IdPath) -> None:
    """Delete a job that has ended, its reports and, of a batch, its jobs. Networks stay."""
    with service.context.sessions() as session, session.begin():
        job = find_job(session, owner, job_id, lock=True)
        if job.state in job_states.UNFINISHED:
            raise Problem("conflict", f"the job is {job.state}", remedy="cancel it first")
        session.execute(delete(Job).where(or_(Job.id == job_id, Job.parent_id == job_id)))


def find_job(session: Session, owner: str, job_id: str, *, lock: bool = False) -> Job:
    """Return the owner's job.

    Raises:
        Problem: there is none.
    """
    job = session.get(Job, job_id, with_for_update=lock)
    if job is None or job.owner != owner:
        raise Problem("not-found", f"there is no job {job_id}")
    return job


def accepted(response: Response, job: Job) -> None:
    """Say where an accepted job is to be followed."""
    response.status_code = 202
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    response.headers["Retry-After"] = "1"


def job_out(job: Job) -> JobOut:
    """Return a job as the API gives it."""
    base = f"/v1/jobs/{job.id}"
    links = {"self": base, "events": f"{base}/events", "logs": f"{base}/logs"}
    if job.snn_id:
        links |= {"snn": f"/v1/snns/{job.snn_id}", "content": f"/v1/snns/{job.snn_id}/content"}
    if job.kind == "simulation" and job.state == "succeeded":
        links["simulation"] = f"{base}/files/simulation.npz"
    if job.kind == "batch":
        links["jobs"] = f"/v1/jobs?parent_id={job.id}"
    values: dict[str, Any] = {
        name: getattr(job, name) for name in JobOut.model_fields if hasattr(job, name)
    }
    steps = [] if job.kind == "batch" else list(steps_of(job.kind, job.config))
    done = job.state not in job_states.UNFINISHED
    return JobOut.model_validate(values | {"links": links, "steps": steps, "done": done})


def _line(event: JobEvent) -> str:
    if event.kind == "log":
        return str(event.data.get("message", ""))
    shown = " ".join(f"{name}={value}" for name, value in event.data.items() if value is not None)
    return f"{event.kind} {shown}"

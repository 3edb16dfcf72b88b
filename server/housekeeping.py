"""What must happen again and again: hand jobs over, say that we live, take over, tidy up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import delete, exists, func, select, update

from onnx2snn.server import job_states
from onnx2snn.server.blobs import collect
from onnx2snn.server.context import Context
from onnx2snn.server.database.tables import (
    Dataset,
    Export,
    IdempotentRequest,
    Job,
    Model,
    Snn,
    Upload,
    Worker,
    now,
)
from onnx2snn.server.jobs import JobQueue
from onnx2snn.server.problems import Problem

LOG = logging.getLogger(__name__)
DISPATCHED_AT_ONCE = 100
MOST_ATTEMPTS = 20
UPLOAD_DAYS = 1
IDEMPOTENCY_DAYS = 1


class Housekeeping:
    """Two threads: one hands jobs to the engine at once, one looks after the rest.

    Args:
        context: of this process.
        queue: of jobs.
        works: whether this process runs jobs and so has a heartbeat.
    """

    def __init__(self, context: Context, queue: JobQueue, *, works: bool) -> None:
        self._context = context
        self._queue = queue
        self._works = works
        self._stop = threading.Event()
        self._new_jobs = threading.Event()
        self._tidied = 0.0
        self._threads = [
            threading.Thread(target=self._loop, args=(action, wait), daemon=True, name=name)
            for name, action, wait in (
                ("dispatch", self._dispatch, self._wait_for_jobs),
                ("housekeeping", self._look_after, self._wait_for_heartbeat),
            )
        ]

    def start(self) -> None:
        """Start the threads."""
        if self._works:
            self.beat()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads."""
        self._stop.set()
        self._new_jobs.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def wake(self) -> None:
        """Say that there are new jobs."""
        self._new_jobs.set()

    def beat(self) -> None:
        """Say that this worker lives."""
        with self._context.sessions() as session, session.begin():
            session.merge(
                Worker(
                    id=self._context.settings.worker_id,
                    version=self._context.version,
                    seen_at=now(),
                )
            )

    def _loop(self, action: Callable[[], None], wait: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                action()
            except Exception:
                LOG.exception("housekeeping")
                self._stop.wait(1)
            wait()

    def _wait_for_jobs(self) -> None:
        self._new_jobs.wait(timeout=2)
        self._new_jobs.clear()

    def _wait_for_heartbeat(self) -> None:
        self._stop.wait(self._context.settings.heartbeat_seconds)

    def _dispatch(self) -> None:
        """Hand new jobs to the engine: single ones first, then those of batches, oldest first.

        A crash in between repeats, never loses.
        """
        while not self._stop.is_set():
            with self._context.sessions() as session:
                jobs = session.execute(
                    select(Job.id, Job.attempt, Job.parent_id)
                    .where(Job.state == "queued", Job.enqueued_at.is_(None), Job.kind != "batch")
                    .order_by(Job.parent_id.is_not(None), Job.created_at)
                    .limit(DISPATCHED_AT_ONCE)
                ).all()
            for job_id, attempt, parent_id in jobs:
                self._queue.enqueue(job_id, attempt, of_batch=parent_id is not None)
            with self._context.sessions() as session, session.begin():
                for job_id, attempt, _ in jobs:
                    session.execute(
                        update(Job)
                        .where(Job.id == job_id, Job.attempt == attempt)
                        .values(enqueued_at=now())
                    )
            if len(jobs) < DISPATCHED_AT_ONCE:
                return

    def _look_after(self) -> None:
        if self._works:
            self.beat()
        self._take_over()
        if time.monotonic() - self._tidied > self._context.settings.tidy_seconds:
            self._tidied = time.monotonic()
            self._restart_given_up()
            self._retire()
            collect(self._context)

    def _take_over(self) -> None:
        """Queue again what workers were doing that have long been silent."""
        silent = now() - timedelta(seconds=self._context.settings.takeover_seconds)
        with self._context.sessions() as session:
            dead = list(session.scalars(select(Worker.id).where(Worker.seen_at < silent)))
        for worker_id in dead:
            for workflow_id in self._queue.take_back(worker_id):
                LOG.warning("took %s over from %s", workflow_id, worker_id)
                job_id = workflow_id.partition(".")[0]
                job_states.tell(self._context, job_id, f"taken over from worker {worker_id}")
            with self._context.sessions() as session, session.begin():
                session.execute(
                    delete(Worker).where(Worker.id == worker_id, Worker.seen_at < silent)
                )

    def _restart_given_up(self) -> None:
        """Queue jobs again that the engine has lost or given up, whatever the reason."""
        before = now() - timedelta(seconds=self._context.settings.tidy_seconds)
        with self._context.sessions() as session:
            jobs = session.execute(
                select(Job.id, Job.attempt)
                .where(Job.state.in_(job_states.UNFINISHED), Job.enqueued_at < before)
                .order_by(Job.enqueued_at)
                .limit(500)
            ).all()
        for job_id in self._queue.given_up([(job_id, attempt) for job_id, attempt in jobs]):
            self._restart(job_id)
        self._new_jobs.set()

    def _restart(self, job_id: str) -> None:
        with self._context.sessions() as session, session.begin():
            job = session.get(Job, job_id, with_for_update=True)
            if job is None or job.state not in job_states.UNFINISHED:
                return
            attempt = job.attempt
            if attempt < MOST_ATTEMPTS:
                LOG.warning("the engine has given job %s up: queued again", job_id)
                job_states.queue_again(session, job)
                return
        given_up = Problem("internal-error", f"the job was interrupted {attempt} times")
        job_states.finish(self._context, job_id, attempt, "failed", given_up)

    def _retire(self) -> None:
        """Delete what is too old, and uploads that were never completed."""
        with self._context.sessions() as session, session.begin():
            session.execute(delete(Upload).where(Upload.created_at < _days_ago(UPLOAD_DAYS)))
            session.execute(
                delete(IdempotentRequest).where(
                    IdempotentRequest.created_at < _days_ago(IDEMPOTENCY_DAYS)
                )
            )
            session.execute(delete(Export).where(~exists().where(Snn.id == Export.snn_id)))
            if days := self._context.settings.retention_days:
                before = _days_ago(days)
                for table in (Model, Dataset, Snn):
                    session.execute(delete(table).where(table.used_at < before))
                session.execute(delete(Job).where(Job.finished_at < before))


def count_jobs(context: Context) -> None:
    """Bring the gauge of jobs up to date."""
    with context.sessions() as session:
        rows = session.execute(
            select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state)
        ).all()
    context.metrics.jobs.clear()
    for kind, state, number in rows:
        context.metrics.jobs.labels(kind, state).set(number)


def _days_ago(days: float) -> object:
    return now() - timedelta(days=days)

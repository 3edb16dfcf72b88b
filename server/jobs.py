"""The job engine: DBOS, and the only file that knows it.

A job is a row of our table; the engine's row only makes sure that somebody works on it, after any
crash. Enqueuing the same attempt of a job twice is one run.

Jobs of batches have a queue of their own, so that single jobs need not wait for thousands of them;
a worker claims more of them than it runs, so that none of its slots is idle between two short ones.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from dbos import DBOS, DBOSClient, DBOSConfig
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from onnx2snn.server import job_states
from onnx2snn.server.context import Context
from onnx2snn.server.database.engine import make_engine
from onnx2snn.server.database.tables import Job
from onnx2snn.server.job_steps import Step, steps_of
from onnx2snn.server.problems import Problem
from onnx2snn.server.sandbox import KilledError, StoppedError
from onnx2snn.server.slots import Slots

APPLICATION = "onnx2snn"
APPLICATION_VERSION = "1"  # of the workflow below: jobs of another version are not touched
QUEUE = "jobs"
BATCH_QUEUE = "batch-jobs"
WORKFLOW = "job"
TRIES_IF_KILLED = 3
DATABASE_PAUSE_SECONDS = 2.0
_POLL_SECONDS = 0.1
_BATCH_CLAIMS = 3
"""Claimed jobs of batches per slot."""


class _Leaving(BaseException):
    """The process stops: the job stays as it is, and will be run again.

    Not an Exception, so that the engine does not record it as an outcome.
    """


class JobQueue:
    """Hands jobs to the engine and takes those of dead workers back.

    Args:
        context: of this process.
    """

    def __init__(self, context: Context) -> None:
        url = context.settings.jobs_database
        DBOS.migrate(url)
        self._engine = _engine(url)
        self._client = DBOSClient(
            system_database_url=url, system_database_engine=self._engine, use_listen_notify=False
        )

    def enqueue(self, job_id: str, attempt: int, *, of_batch: bool) -> None:
        """Hand over one attempt of a job; the same again changes nothing."""
        self._client.enqueue(
            {
                "workflow_name": WORKFLOW,
                "queue_name": BATCH_QUEUE if of_batch else QUEUE,
                "workflow_id": _workflow_id(job_id, attempt),
                "app_version": APPLICATION_VERSION,
                "application_name": APPLICATION,
            },
            job_id,
            attempt,
        )

    def take_back(self, worker_id: str) -> list[str]:
        """Queue again what a dead worker was doing; return the ids of the workflows."""
        pending = self._client.list_workflows(
            status="PENDING", executor_id=worker_id, load_input=False, load_output=False
        )
        for workflow in pending:
            self._client.resume_workflow(
                workflow.workflow_id, queue_name=workflow.queue_name or QUEUE
            )
        return [workflow.workflow_id for workflow in pending]

    def given_up(self, jobs: Sequence[tuple[str, int]]) -> list[str]:
        """Return the ids of those jobs whose attempt no worker of this version will run."""
        names = {_workflow_id(job_id, attempt): job_id for job_id, attempt in jobs}
        listed = self._client.list_workflows(
            workflow_ids=list(names),
            status=["PENDING", "ENQUEUED", "DELAYED"],
            app_version=APPLICATION_VERSION,
            load_input=False,
            load_output=False,
        )
        alive = {workflow.workflow_id for workflow in listed}
        return [job_id for name, job_id in names.items() if name not in alive]

    def close(self) -> None:
        """Let go of the database."""
        self._client.destroy()
        if self._engine is not None:
            self._engine.dispose()


@contextmanager
def job_runner(context: Context) -> Iterator[None]:
    """Run jobs in this process while the block lasts; what is running at its end is resumed later.

    Args:
        context: of this process; ``settings.workers`` jobs run at once.
    """
    leaving = threading.Event()
    slots = Slots(context.settings.workers)
    engine = _engine(context.settings.jobs_database)
    config = DBOSConfig(
        name=APPLICATION,
        system_database_url=context.settings.jobs_database,
        system_database_engine=engine,
        application_version=APPLICATION_VERSION,
        executor_id=context.settings.worker_id,
        use_listen_notify=False,
        log_level="WARNING",
    )
    logging.getLogger("dbos").setLevel(logging.WARNING)
    DBOS(config=config)

    @DBOS.step(name="step")
    def step(job_id: str, attempt: int, name: str) -> str:
        return run_step(context, job_id, attempt, name, leaving)

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
    def workflow(job_id: str, attempt: int) -> str:
        with slots.one(of_batch=job_states.is_of_batch(context, job_id)) as held:
            if not held:
                raise _Leaving
            with structlog.contextvars.bound_contextvars(job_id=job_id, attempt=attempt):
                start = time.monotonic()
                outcome = run_steps(job_id, attempt)
                seconds = round(time.monotonic() - start, 3)
                structlog.get_logger("jobs").info("job", outcome=outcome, seconds=seconds)
                return outcome

    def run_steps(job_id: str, attempt: int) -> str:
        if not job_states.begin(context, job_id, attempt):
            return "nothing to do"
        with context.sessions() as session:
            job = session.get_one(Job, job_id)
        for name in steps_of(job.kind, job.config):
            outcome = step(job_id, attempt, name)
            if outcome != "done":
                return outcome
        job_states.finish(context, job_id, attempt, "succeeded")
        return "done"

    try:
        DBOS.launch()
        for queue, claims in ((QUEUE, 1), (BATCH_QUEUE, _BATCH_CLAIMS)):
            DBOS.register_queue(
                queue,
                worker_concurrency=claims * context.settings.workers,
                polling_interval_sec=_POLL_SECONDS,
                on_conflict="always_update",
            )
        yield
    finally:
        leaving.set()
        slots.close()
        DBOS.destroy(destroy_registry=True)
        if engine is not None:
            engine.dispose()


def _engine(url: str) -> Engine | None:
    """Return an engine for SQLite that commits without waiting for the disk; None for others.

    What a power failure takes from the engine, the table of jobs still knows.
    """
    if not url.startswith("sqlite"):
        return None
    engine = make_engine(url)

    def begin_at_once(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"  # as the job engine does by itself

    event.listen(engine, "connect", begin_at_once)
    return engine


def run_step(
    context: Context, job_id: str, attempt: int, name: str, leaving: threading.Event
) -> str:
    """Run one step of a job; say in a word how it ended.

    Returns:
        ``done``, ``failed``, ``cancelled`` or ``gone`` (the job has been deleted).
    """
    with context.sessions() as session:
        job = session.get(Job, job_id)
    if job is None:
        return "gone"

    def unwanted() -> bool:
        return leaving.is_set() or job_states.cancel_requested(context, job_id, attempt)

    trial = 0
    while trial < TRIES_IF_KILLED:
        trial += 1
        try:
            Step(context, job, name, unwanted).run()
            return "done"
        except StoppedError:
            context.metrics.kills.labels("stopped").inc()
            if leaving.is_set():
                raise _Leaving from None
            job_states.finish(context, job_id, attempt, "cancelled")
            return "cancelled"
        except KilledError as error:
            context.metrics.kills.labels(str(error)).inc()
            job_states.tell(context, job_id, f"the sandboxed child was killed: {error} ({trial})")
        except Problem as problem:
            job_states.finish(context, job_id, attempt, "failed", problem)
            return "failed"
        except DBAPIError:  # the database is away: what has been done so far is only repeated
            logging.getLogger(__name__).warning("no database for job %s: trying again", job_id)
            if leaving.wait(DATABASE_PAUSE_SECONDS):
                raise _Leaving from None
            trial -= 1
        except Exception as error:
            logging.getLogger(__name__).exception("step %s of job %s", name, job_id)
            told = Problem("internal-error", f"{type(error).__name__} in step '{name}'")
            job_states.finish(context, job_id, attempt, "failed", told)
            return "failed"
    killed = Problem(
        "killed",
        f"the process of this job was killed {TRIES_IF_KILLED} times",
        remedy="it may need more memory than the machine has: use a smaller model or fewer samples",
    )
    job_states.finish(context, job_id, attempt, "failed", killed)
    return "failed"


def _workflow_id(job_id: str, attempt: int) -> str:
    return f"{job_id}.{attempt}"

"""One running service: what the routes work with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Request

from onnx2snn.server.context import Context
from onnx2snn.server.housekeeping import Housekeeping
from onnx2snn.server.jobs import JobQueue, job_runner
from onnx2snn.server.problems import Problem

_Value = TypeVar("_Value")
MAX_WAITING_CHECKS = 64


@dataclass
class Service:
    """The parts of a running service.

    Attributes:
        context: database, files, sandbox.
        housekeeping: told when there are new jobs.
        limiter: how many sandboxed children clients may wait for at once.
        catalogue: presets and operators, once they have been asked for.
        streams: open event streams.
    """

    context: Context
    housekeeping: Housekeeping
    limiter: anyio.CapacityLimiter
    catalogue: dict[str, Any] | None = None
    streams: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    async def in_sandbox(self, work: Callable[[], _Value]) -> _Value:
        """Run work that waits for a sandboxed child, a few at once.

        Raises:
            Problem: too many wait already.
        """
        if self.limiter.statistics().tasks_waiting >= MAX_WAITING_CHECKS:
            raise Problem(
                "overloaded", "too many checks are waiting", remedy="try again", retry_after=5
            )
        return await anyio.to_thread.run_sync(work, limiter=self.limiter)


@contextmanager
def running_service(context: Context) -> Iterator[Service]:
    """Start what runs beside the routes, and stop it at the end of the block."""
    context.sandbox.clean()
    context.store.clean()
    context.sandbox.warm()
    queue = JobQueue(context)
    works = context.settings.workers > 0
    housekeeping = Housekeeping(context, queue, works=works)
    limiter = anyio.CapacityLimiter(context.settings.checks_at_once)
    try:
        housekeeping.start()
        service = Service(context, housekeeping, limiter)
        if works:
            with job_runner(context):
                yield service
        else:
            yield service
    finally:
        housekeeping.stop()
        queue.close()
        context.sandbox.close()
        context.engine.dispose()


def service_of(request: Request) -> Service:
    """Return the service that a request reached."""
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(service_of)]

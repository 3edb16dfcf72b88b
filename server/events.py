"""Events of a job as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import anyio.to_thread
from fastapi import Request
from sqlalchemy import select

from onnx2snn.server.database.tables import Job, JobEvent
from onnx2snn.server.job_states import UNFINISHED
from onnx2snn.server.problems import Problem
from onnx2snn.server.service import Service

POLL_SECONDS = 0.25
KEEP_ALIVE_SECONDS = 15.0
MAX_STREAMS = 500


def last_event_id(request: Request) -> int:
    """Return the number of the last event that the client has seen.

    Raises:
        Problem: the header is no number.
    """
    text = request.headers.get("last-event-id", "").strip() or "0"
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Problem("bad-request", "Last-Event-ID is not one of ours")
    return int(text)


async def follow(service: Service, job_id: str, seen: int) -> AsyncIterator[bytes]:
    """Yield the events of a job after the one seen last, until the job has ended."""
    if service.streams >= MAX_STREAMS:
        yield b"retry: 10000\n\n"
        return
    service.streams += 1
    told = time.monotonic()
    try:
        yield b"retry: 2000\n\n"
        while True:
            events, ended = await anyio.to_thread.run_sync(_read, service, job_id, seen)
            for event in events:
                seen = event.id
                yield _as_text(event)
            if events:
                told = time.monotonic()
            elif ended:
                return
            elif time.monotonic() - told > KEEP_ALIVE_SECONDS:
                told = time.monotonic()
                yield b": still here\n\n"
            if not events:
                await asyncio.sleep(POLL_SECONDS)
    finally:
        service.streams -= 1


def _read(service: Service, job_id: str, seen: int) -> tuple[list[JobEvent], bool]:
    with service.context.sessions() as session:
        state = session.scalar(select(Job.state).where(Job.id == job_id))
        query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > seen)
        events = list(session.scalars(query.order_by(JobEvent.id).limit(200)))
    return events, state not in UNFINISHED


def _as_text(event: JobEvent) -> bytes:
    data = json.dumps({"at": event.at.isoformat(), **event.data}, ensure_ascii=True)
    return f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n".encode()

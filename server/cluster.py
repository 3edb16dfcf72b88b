"""Parts of an evaluation on a Dask cluster: each in a sandboxed child of its worker.

Dask workers need onnx2snn with the extras ``server`` and ``cluster``, the same version, and the
same store in their environment (``ONNX2SNN_STORE`` and so on). A part is named by digests and a
run of samples; its worker fetches the files, measures in a confined child, and sends back counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from onnx2snn.server.sandbox import KilledError, Sandbox, Stop, StoppedError
from onnx2snn.server.settings import Settings
from onnx2snn.server.store import FileStore

Done = Callable[[int, int], None]
"""Called with the parts done and their number."""

WAIT_SECONDS = 0.5
PARTS_PER_WORKER = 4


def measure_parts(
    address: str,
    files: Mapping[str, str],
    arguments: Mapping[str, Any],
    parts: Sequence[tuple[int, int]],
    *,
    seconds: float,
    stop: Stop,
    done: Done,
) -> list[bytes]:
    """Measure parts wherever there is room; return what each came to, in order.

    Args:
        address: of the Dask scheduler.
        files: digests by file name.
        arguments: of the task ``evaluate_part``.
        parts: first and last sample of each.
        seconds: wall-clock limit of one part.
        stop: asked again and again; says that the work is no longer wanted.
        done: called with the parts done and their number.

    Raises:
        Problem: a part failed.
        StoppedError: ``stop`` said yes.
        KilledError: a worker was killed.
    """
    from distributed import KilledWorker

    with connect(address) as client:
        jobs = [
            client.submit(
                measure_part, dict(files), {**arguments, "part": list(part)}, seconds, pure=False
            )
            for part in parts
        ]
        try:
            while not all(job.done() for job in jobs):
                if any(job.status == "error" for job in jobs):
                    break
                done(sum(job.done() for job in jobs), len(jobs))
                time.sleep(WAIT_SECONDS)
                if stop():
                    raise StoppedError
            for job in jobs:
                if job.status == "error":
                    job.result()  # raises what the part raised
            return [bytes(job.result()) for job in jobs]
        except KilledWorker as error:
            raise KilledError("Dask worker") from error
        finally:
            client.cancel(jobs)


def room(address: str) -> int:
    """Return into how many parts work should be cut for the workers there are; 0 if none is."""
    try:
        with connect(address) as client:
            return PARTS_PER_WORKER * len(client.scheduler_info(n_workers=-1)["workers"])
    except (ImportError, OSError, ValueError, TimeoutError):
        return 0


def connect(address: str) -> Any:
    """Return a client of the scheduler."""
    from distributed import Client

    return Client(address, timeout=20, set_as_default=False)


def measure_part(files: Mapping[str, str], arguments: Mapping[str, Any], seconds: float) -> bytes:
    """Measure one part in a confined child; runs on a Dask worker."""
    store, sandbox = _tools()
    with sandbox.workplace() as place:
        for name, sha256 in files.items():
            store.fetch(sha256, place.inputs / name)
        sandbox.run(place, "evaluate_part", arguments, seconds=seconds)
        return place.output("part.npz").read_bytes()


@cache
def _tools() -> tuple[FileStore, Sandbox]:
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return FileStore(settings), Sandbox(settings)

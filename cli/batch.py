"""Many conversions in worker processes: one model's failure, or crash, never stops the rest."""

from __future__ import annotations

import multiprocessing
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from onnx2snn.cli.conversion_job import ConversionOptions, Outcome, attempt_conversion
from onnx2snn.cli.failure import Failure, describe_failure
from onnx2snn.cli.targets import Target

Report = Callable[[int, Outcome], None]
"""Receives the index and the outcome of each conversion as it ends."""

_CRASH = Failure(
    code="worker-died",
    message="the worker process died while converting this model",
    remedy="it may need more memory than there is: convert it alone, or with fewer --jobs",
)


def run_batch(
    targets: Sequence[Target],
    options: ConversionOptions,
    jobs: int,
    report: Report,
    attempt: Callable[[Target, ConversionOptions], Outcome] = attempt_conversion,
) -> list[Outcome]:
    """Convert all targets.

    Each of ``jobs`` threads feeds a worker process of its own, so that the model under which a
    worker dies is known and only that model fails.

    Args:
        targets: what to convert.
        options: how.
        jobs: number of worker processes.
        report: told of each outcome, from one thread at a time.
        attempt: converts one target and never raises; runs in the workers.

    Returns:
        The outcomes, in the order of the targets.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(targets)):
        waiting.put(index)
    ended: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()
    stop = threading.Event()

    def feed() -> None:
        worker = _worker()
        while not stop.is_set():
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                break
            try:
                outcome = worker.submit(attempt, targets[index], options).result()
            except BrokenProcessPool:
                worker.shutdown(wait=False)
                worker = _worker()
                outcome = Outcome(model=str(targets[index].model), status="failed", error=_CRASH)
            except Exception as error:
                failure = describe_failure(error)
                outcome = Outcome(model=str(targets[index].model), status="failed", error=failure)
            ended.put((index, outcome))
        worker.shutdown(wait=not stop.is_set(), cancel_futures=True)

    threads = [threading.Thread(target=feed, daemon=True) for _ in range(min(jobs, len(targets)))]
    for thread in threads:
        thread.start()
    try:
        outcomes: dict[int, Outcome] = {}
        while len(outcomes) < len(targets):
            index, outcome = ended.get()
            outcomes[index] = outcome
            report(index, outcome)
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    return [outcomes[index] for index in range(len(targets))]


def _worker() -> ProcessPoolExecutor:
    """Return a fresh process, spawned: onnxruntime's threads do not survive a fork."""
    return ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn"))

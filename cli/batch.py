"""Many conversions in worker processes: one model's failure, or crash, never stops the rest."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from onnx2snn.cli.conversion_job import ConversionOptions, Outcome, attempt_conversion
from onnx2snn.cli.failure import Failure, describe_failure
from onnx2snn.cli.targets import Target

Attempt = Callable[[Target, ConversionOptions], Outcome]
"""Converts one model and never raises."""

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
    attempt: Attempt = attempt_conversion,
) -> list[Outcome]:
    """Convert all targets.

    Each of ``jobs`` threads feeds a worker process of its own, so that the model under which a
    worker dies is known and only that model fails.

    Args:
        targets: what to convert.
        options: how.
        jobs: number of worker processes.
        report: told of each outcome, from one thread at a time.
        attempt: runs in the workers.

    Returns:
        The outcomes, in the order of the targets.
    """
    feeder = _Feeder(targets, options, attempt)
    threads = [
        threading.Thread(target=feeder.run, daemon=True) for _ in range(min(jobs, len(targets)))
    ]
    for thread in threads:
        thread.start()
    outcomes: dict[int, Outcome] = {}
    try:
        while len(outcomes) < len(targets):
            index, outcome = feeder.ended.get()
            outcomes[index] = outcome
            report(index, outcome)
    except BaseException:
        feeder.stop.set()
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    for thread in threads:
        thread.join()
    return [outcomes[index] for index in range(len(targets))]


class _Feeder:
    """Hands targets to workers until none is left; ``run`` may run in several threads."""

    def __init__(
        self, targets: Sequence[Target], options: ConversionOptions, attempt: Attempt
    ) -> None:
        self.ended: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()
        self.stop = threading.Event()
        self._targets = targets
        self._options = options
        self._attempt = attempt
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for index in range(len(targets)):
            self._waiting.put(index)

    def run(self) -> None:
        """Convert one target after the other, in one worker until it dies."""
        worker: ProcessPoolExecutor | None = None
        while not self.stop.is_set():
            try:
                index = self._waiting.get_nowait()
            except queue.Empty:
                break
            worker = worker or _worker()
            target = self._targets[index]
            try:
                outcome = worker.submit(self._attempt, target, self._options).result()
            except Exception as error:
                worker.shutdown(wait=False)
                worker = None
                died = isinstance(error, BrokenProcessPool)
                failure = _CRASH if died else describe_failure(error)
                outcome = Outcome(model=str(target.model), status="failed", error=failure)
            self.ended.put((index, outcome))
        if worker is not None:
            worker.shutdown()


def _worker() -> ProcessPoolExecutor:
    """Return a fresh process, spawned: onnxruntime's threads do not survive a fork."""
    return ProcessPoolExecutor(
        max_workers=1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),  # the parent ends its workers itself
    )

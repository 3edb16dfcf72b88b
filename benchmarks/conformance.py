"""Convert every operator test and light model of the onnx package, and write the table.

    python benchmarks/conformance.py                 # all of them: docs/conformance.md
    python benchmarks/conformance.py --only conv_    # cases by part of their name, printed

Each worker process takes one case at a time; one that dies (a crash in native code) or takes too
long is replaced, and the case is named. Nothing here is tuned to pass: a case fails if it raises
anything but a refusal with a reason, or differs from onnxruntime by more than the neurons' grid.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, Queue

from conformance_cases import collect
from conformance_judge import Result, judge
from conformance_light import NAMES, judge_light
from conformance_table import render, summary

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "conformance.md"
CASE_SECONDS = 120
LIGHT_SECONDS = 1800

Job = tuple[str, str]
"""The kind of a case (``node`` or ``light``) and its name."""

JUDGES: dict[str, Callable[[str], list[Result]]] = {"node": judge, "light": judge_light}


def serve(pipe: Connection) -> None:
    """Judge the jobs that come through the pipe until it closes."""
    while True:
        try:
            kind, name = pipe.recv()
        except EOFError:
            return
        pipe.send(JUDGES[kind](name))


class Worker:
    """A process that judges, and is started again after it died."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def judge(self, kind: str, name: str) -> list[Result]:
        """Judge one case; a crash or a timeout becomes a result."""
        self._pipe.send((kind, name))
        try:
            if self._pipe.poll(LIGHT_SECONDS if kind == "light" else CASE_SECONDS):
                found: list[Result] = self._pipe.recv()
                return found
            reason = "takes too long"
        except (EOFError, ConnectionError):
            reason = "the process crashed"
        self.close()
        self._start()
        return [Result(name, kind, "failed", reason=reason)]

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()


def judge_all(jobs: Iterable[Job], workers: int) -> list[Result]:
    """Judge all jobs in worker processes, in any order; results are sorted by name."""
    queue: Queue[Job] = Queue()
    for job in jobs:
        queue.put(job)
    total = queue.qsize()
    results: list[Result] = []

    def drain() -> None:
        worker = Worker()
        while True:
            try:
                kind, name = queue.get_nowait()
            except Empty:
                worker.close()
                return
            results.extend(worker.judge(kind, name))
            done = total - queue.qsize()
            print(f"\r{done} of {total} cases", end="", file=sys.stderr, flush=True)

    threads = [threading.Thread(target=drain) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(file=sys.stderr)
    return sorted(results, key=lambda result: result.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code tells whether anything failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="part of the name of the cases to run")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-light", action="store_true", help="leave out the light models")
    options = parser.parse_args(arguments)
    jobs = [("node", name) for name in collect() if options.only in name]
    jobs += [("light", name) for name in NAMES if not options.no_light and options.only in name]
    results = judge_all(jobs, options.workers)
    text = render(results)
    if options.only:
        print(text)
    else:
        DOCUMENT.write_text(text)
    print(summary(results))
    return int(any(result.verdict == "failed" for result in results))


if __name__ == "__main__":
    sys.exit(main())

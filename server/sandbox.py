"""Run tasks on strangers' files in confined child processes, and clean up after them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx2snn.server.children import Child, FreshStarter, Starter
from onnx2snn.server.problems import Problem
from onnx2snn.server.settings import MIB, Settings
from onnx2snn.server.zygote import Zygote

Progress = Callable[[str, float], None]
"""Told by a task: the stage and the share of it done."""

Follow = Callable[[str, float, int], None]
"""Told to the caller: stage, share of it done, number of stages so far."""

Stop = Callable[[], bool]
"""Tells whether the work is no longer wanted."""

MAX_RESULT_BYTES = 64 * MIB
MAX_LOG_BYTES = 64 * 1024
_POLL_SECONDS = 0.05
_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}


class StoppedError(Exception):
    """The child was killed because its work was no longer wanted."""


class KilledError(Exception):
    """Somebody else killed the child: the work may be tried again."""


@dataclass(frozen=True)
class Workplace:
    """Folder of one task.

    Attributes:
        folder: holds ``in/``, ``out/``, ``request.json`` and ``log``.
    """

    folder: Path

    @property
    def inputs(self) -> Path:
        """Return where the task finds its files."""
        return self.folder / "in"

    def output(self, name: str) -> Path:
        """Return a file that the task has written.

        Raises:
            Problem: it is not there, or no plain file.
        """
        path = self.folder / "out" / name
        if path.is_symlink() or not path.is_file() or path.stat().st_nlink != 1:
            raise Problem("internal-error", f"the sandboxed task left no plain file '{name}'")
        return path

    def log(self) -> str:
        """Return the end of what the child wrote to stderr."""
        path = self.folder / "log"
        if not path.is_file():
            return ""
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - MAX_LOG_BYTES))
            return stream.read(MAX_LOG_BYTES).decode("utf-8", "replace")


class Sandbox:
    """Starts confined children.

    Args:
        settings: their limits and the folder they work in.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.data_dir.resolve() / "work"
        self._root.mkdir(parents=True, exist_ok=True)
        self._starter = starter()

    def warm(self) -> None:
        """Prepare, so that the first child starts as fast as the others."""
        self._starter.warm()

    def close(self) -> None:
        """End all children."""
        self._starter.close()

    def clean(self) -> None:
        """Remove what earlier processes of this machine have left behind."""
        for left in self._root.iterdir():
            shutil.rmtree(left, ignore_errors=True)

    @contextmanager
    def workplace(self) -> Iterator[Workplace]:
        """Make a folder for one task and remove it afterwards."""
        folder = self._root / uuid.uuid4().hex
        for name in ("in", "out"):
            (folder / name).mkdir(parents=True)
        try:
            yield Workplace(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(
        self,
        place: Workplace,
        task: str,
        arguments: Mapping[str, Any],
        *,
        seconds: float,
        progress: Follow | None = None,
        stop: Stop | None = None,
    ) -> Any:
        """Run a task in a confined child and wait for it.

        Args:
            place: its folder, with the files it needs in ``in/``.
            task: name of a module of ``onnx2snn.server.tasks``.
            arguments: its arguments, JSON values.
            seconds: wall-clock limit.
            progress: told what the child does.
            stop: asked again and again; the child is killed once it says yes.

        Returns:
            What the task returned, JSON values.

        Raises:
            Problem: the task failed, or hit a limit.
            StoppedError: ``stop`` said yes.
            KilledError: somebody else killed the child.
        """
        request = {"task": task, "arguments": dict(arguments), "limits": self._limits(seconds)}
        (place.folder / "request.json").write_text(json.dumps(request))
        child = self._starter.start(place.folder)
        try:
            code = _watch(child, place, time.monotonic() + seconds, progress, stop)
        finally:
            child.kill()
        return _result(place, code)

    def _limits(self, seconds: float) -> dict[str, int]:
        return {
            "memory_bytes": self._settings.sandbox_memory_bytes,
            "cpu_seconds": int(seconds * (os.cpu_count() or 1)) + 10,
            "file_bytes": self._settings.sandbox_file_bytes,
        }


def starter() -> Starter:
    """Return what starts children here; libraries of macOS do not survive a fork."""
    return Zygote() if sys.platform == "linux" else FreshStarter()


def _watch(
    child: Child,
    place: Workplace,
    deadline: float,
    progress: Follow | None,
    stop: Stop | None,
) -> int:
    """Wait for the child and pass its progress on; return its exit code."""
    follow = _Follower(place.folder / "out" / "progress.jsonl", progress)
    asked = time.monotonic()
    while True:
        code = child.wait(_POLL_SECONDS)
        follow()
        if code is not None:
            return code
        now = time.monotonic()
        if now > deadline:
            raise _time_limit()
        if stop is not None and now - asked > 0.2:
            asked = now
            if stop():
                raise StoppedError


class _Follower:
    """Reads the lines that a child appends to a file."""

    def __init__(self, path: Path, progress: Follow | None) -> None:
        self._path = path
        self._progress = progress
        self._offset = 0

    def __call__(self) -> None:
        """Pass the last new line on; it stands for those before it."""
        if self._progress is None or self._path.is_symlink() or not self._path.is_file():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            text = stream.read(MAX_LOG_BYTES)
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines()[-1:]:
            try:
                entry = json.loads(line)
                stage, number = str(entry["stage"])[:100], int(entry["number"])
                share = min(1.0, max(0.0, float(entry["share"])))
            except (ValueError, KeyError, TypeError, OverflowError):
                return
            self._progress(stage, share, number)


def _result(place: Workplace, code: int) -> Any:
    """Return what the child has written, or say why there is nothing."""
    if code == -signal.SIGXCPU:
        raise _time_limit()
    if code < 0 and signal.Signals(-code) in _CRASHES:
        raise Problem(
            "runtime-crash",
            f"the process that ran this model crashed ({signal.Signals(-code).name})",
            remedy="the model breaks ONNX Runtime or onnx: simplify it, and report the model",
        )
    if code < 0:
        raise KilledError(signal.Signals(-code).name)
    if code > 0:
        raise Problem(
            "out-of-memory" if "MemoryError" in place.log() else "internal-error",
            "the sandboxed process could not start or ended early",
            remedy="try again; if it happens again, tell the operator",
        )
    path = place.output("result.json")
    if path.stat().st_size > MAX_RESULT_BYTES:
        raise Problem("result-too-large", "the account of this task is too large")
    answer = json.loads(path.read_bytes())
    if "error" in answer:
        raise Problem.from_error(answer["error"])
    return answer["value"]


def _time_limit() -> Problem:
    return Problem(
        "time-limit",
        "the work took longer than a job may",
        remedy="use a smaller model or fewer samples, or ask the operator for more time",
    )

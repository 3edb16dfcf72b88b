"""Child processes for the sandbox, and what starts them with a fresh interpreter each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Protocol

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ", "OMP_NUM_THREADS")


class Child(Protocol):
    """A process that runs one task, and all that it has started."""

    def wait(self, seconds: float) -> int | None:
        """Return the exit code, minus the signal if one ended it; None if it still runs."""
        ...

    def kill(self) -> None:
        """Kill it, unless it has ended, and wait until it is gone."""
        ...


class Starter(Protocol):
    """Starts children."""

    def warm(self) -> None:
        """Prepare, so that the first child starts as fast as the others."""
        ...

    def start(self, folder: Path) -> Child:
        """Start the child of a task, which lives in this folder."""
        ...

    def close(self) -> None:
        """End what was started for all of them."""
        ...


def child_environment() -> dict[str, str]:
    """Return the environment of children: nothing of the service's own is in it."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return environment | {
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }


class FreshStarter:
    """Starts a new interpreter for every child."""

    def warm(self) -> None:
        """There is nothing to prepare."""

    def start(self, folder: Path) -> Child:
        """Start the child of a task, which lives in this folder."""
        command = [sys.executable, "-P", "-m", "onnx2snn.server.sandbox_child", str(folder)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return _FreshChild(process)

    def close(self) -> None:
        """There is nothing to end."""


class _FreshChild:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wait(self, seconds: float) -> int | None:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self._process.wait()

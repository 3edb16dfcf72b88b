"""Main of the zygote: imports what tasks need, then forks a process for each task. Linux.

It talks over a socket of whole messages, which it inherits: ``{"start": N, "folder": F}`` and
``{"kill": N}`` come in, ``{"ended": N, "code": C}`` goes out. It opens no file of a stranger,
starts no thread, and ends when the other end of the socket closes; its children die with it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import tempfile
from pathlib import Path

_MAX_MESSAGE = 64 * 1024
_MOST_FILES = 2**20


def main() -> None:
    """Serve the socket whose file descriptor is the first argument."""
    import_tasks()
    with socket.socket(fileno=int(sys.argv[1])) as line:
        _Nursery(line).serve()


def import_tasks() -> None:
    """Import every task and what it needs, so that forks find it in memory."""
    # Read by ONNX Runtime when it is first imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import numpy.random  # noqa: F401  (numpy imports it only when it is used)

    import onnx2snn.server.tasks as tasks

    for module in pkgutil.iter_modules(tasks.__path__, f"{tasks.__name__}."):
        importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # so that collections in the children do not copy these pages


class _Nursery:
    """The children that are alive."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(line, selectors.EVENT_READ, None)
        self._pids: dict[int, int] = {}

    def serve(self) -> None:
        """Start, kill and bury children until the line is closed."""
        while True:
            for key, _ in self._waiting.select():
                if key.data is not None:
                    self._bury(key.fd, key.data)
                elif not self._listen():
                    return

    def _listen(self) -> bool:
        try:
            data = self._line.recv(_MAX_MESSAGE)
        except ConnectionResetError:  # the service died with messages unread
            data = b""
        if not data:
            return False
        message = json.loads(data)
        if "start" in message:
            self._start(message["start"], Path(message["folder"]))
        elif (pid := self._pids.get(message["kill"])) is not None:
            _kill(pid)
        return True

    def _start(self, number: int, folder: Path) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # no memory or process left: this task cannot run, others do
            print(f"fork: {error}", file=sys.stderr, flush=True)
            self._line.send(json.dumps({"ended": number, "code": 1}).encode())
            return
        if pid == 0:
            _become_child(folder, parent)
        self._pids[number] = pid
        self._waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, number)

    def _bury(self, handle: int, number: int) -> None:
        """Kill what a child has left behind while its process id is still its own."""
        pid = self._pids.pop(number)
        _kill(pid)
        self._waiting.unregister(handle)
        os.close(handle)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._line.send(json.dumps({"ended": number, "code": code}).encode())


def _kill(pid: int) -> None:
    """Kill a child that has not been waited for, and its process group if it has one already."""
    os.kill(pid, signal.SIGKILL)
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _become_child(folder: Path, parent: int) -> None:
    """Turn this fork into the child of a task: no file of the zygote stays open. Never returns."""
    try:
        os.setsid()
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, _MOST_FILES)
        tempfile.tempdir = None
        from onnx2snn.server.sandbox_child import run

        run(folder, parent)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    os._exit(1)


if __name__ == "__main__":
    main()

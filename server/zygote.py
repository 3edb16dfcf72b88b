"""Children forked from a warm process: the zygote, which runs ``zygote_main``. Linux.

The zygote has imported onnx, onnxruntime and the tasks, and never sees a stranger's file. Forking
it costs milliseconds where a fresh interpreter costs about a second. Each task still has a process
of its own, which confines itself before it opens anything and ends with the task.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from onnx2snn.server.children import Child, child_environment

_MAX_MESSAGE = 64 * 1024


class Zygote:
    """Starts children by forking one warm process, which is started when it is first needed.

    If somebody kills the zygote, its children die with it; the next child gets a new zygote.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: _Line | None = None

    def warm(self) -> None:
        """Start the zygote, so that the first child starts as fast as the others."""
        self._alive()

    def start(self, folder: Path) -> Child:
        """Start the child of a task, which lives in this folder."""
        for _ in range(3):
            child = self._alive().start(folder)
            if child is not None:
                return child
        raise OSError("the process that starts sandboxed children does not stay alive")

    def _alive(self) -> _Line:
        with self._lock:
            if self._line is None or self._line.broken:
                self._line = _Line()
            return self._line

    def close(self) -> None:
        """End the zygote and with it all children."""
        with self._lock:
            if self._line is not None:
                self._line.close()
                self._line = None


class _Line:
    """The connection to one zygote."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        module = "onnx2snn.server.zygote_main"
        command = [sys.executable, "-P", "-m", module, str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command,
                cwd="/",
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C is for the service, which ends it in order
            )
        self._socket = ours
        self._lock = threading.Lock()
        self._children: dict[int, _WarmChild] = {}
        self._count = 0
        self.broken = False
        threading.Thread(target=self._listen, daemon=True, name="zygote").start()

    def start(self, folder: Path) -> Child | None:
        """Ask for a child; None if the zygote is gone."""
        with self._lock:
            if self.broken:
                return None
            self._count += 1
            child = _WarmChild(self, self._count)
            self._children[child.number] = child
        if self.tell({"start": child.number, "folder": str(folder)}):
            return child
        self.broken = True
        return None

    def tell(self, message: dict[str, object]) -> bool:
        """Send a message; return whether somebody is there to read it."""
        try:
            self._socket.send(json.dumps(message).encode())
        except OSError:
            return False
        return True

    def close(self) -> None:
        """End the zygote."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._process.wait()

    def _listen(self) -> None:
        """Read how children ended, until the zygote is gone; what it ran has then been killed."""
        while True:
            try:
                data = self._socket.recv(_MAX_MESSAGE)
            except OSError:
                data = b""
            if not data:
                break
            message = json.loads(data)
            with self._lock:
                child = self._children.pop(message["ended"], None)
            if child is not None:
                child.end(message["code"])
        self._process.wait()
        with self._lock:
            self.broken = True
            left, self._children = list(self._children.values()), {}
        for child in left:
            child.end(-signal.SIGKILL)
        self._socket.close()


class _WarmChild:
    def __init__(self, line: _Line, number: int) -> None:
        self.number = number
        self._line = line
        self._code: int | None = None
        self._ended = threading.Event()

    def end(self, code: int) -> None:
        self._code = code
        self._ended.set()

    def wait(self, seconds: float) -> int | None:
        return self._code if self._ended.wait(seconds) else None

    def kill(self) -> None:
        if not self._ended.is_set():
            self._line.tell({"kill": self.number})
            self._ended.wait()

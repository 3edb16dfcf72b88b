"""A service in a process of its own, to be measured, killed and asked."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onnx2snn.server.client import Client

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class ServiceProcess:
    """One process of the service.

    Attributes:
        folder: its data folder; ``service.log`` is in it.
        port: where it listens.
        settings: environment variables ``ONNX2SNN_*``.
        verb: ``serve`` or ``worker``.
        process: it, once it has been started.
    """

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    verb: str = "serve"
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Return its process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def client(self) -> Client:
        """Return a client of it."""
        return Client(self.url)

    def start(self) -> ServiceProcess:
        """Start it; a ``serve`` answers when this returns."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("ONNX2SNN_")
        }
        environment |= {
            "ONNX2SNN_DATA_DIR": str(self.folder),
            "ONNX2SNN_PORT": str(self.port),
            "ONNX2SNN_WORKERS": "2",
            "ONNX2SNN_WORKER_ID": "here",
            "ONNX2SNN_HEARTBEAT_SECONDS": "1",
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
            ),
            **self.settings,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "service.log").open("ab") as log:
            command = [sys.executable, "-P", "-m", "onnx2snn.cli.app", self.verb]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        if self.verb == "serve":
            self.wait_until_healthy()
        return self

    def wait_until_healthy(self, seconds: float = 300) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it does not.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the service does not answer:\n{self.log()}")

    def kill(self) -> None:
        """Kill it at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def log(self) -> str:
        """Return the end of its log."""
        return (self.folder / "service.log").read_text(errors="replace")[-5000:]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def children(pid: int) -> list[int]:
    """Return the process ids of the children of a process; none if it is gone."""
    try:
        listed = list(Path(f"/proc/{pid}/task").glob("*/children"))
        return [int(child) for path in listed for child in path.read_text().split()]
    except OSError:
        return []


def is_zygote(pid: int) -> bool:
    """Return whether a process starts sandboxed children, or is one."""
    try:
        return b"zygote_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def sandboxed(pid: int) -> list[int]:
    """Return the process ids of the sandboxed children of a service."""
    return [child for zygote in children(pid) if is_zygote(zygote) for child in children(zygote)]


def resident_bytes(pid: int, field: str = "VmRSS") -> int:
    """Return the memory of a process that is in RAM; ``VmHWM`` is the most there has been."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def request(
    url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Send a request; return status, headers in lower case and body, whatever they are."""
    asked = urllib.request.Request(url, body, dict(headers or {}))
    try:
        answer = urllib.request.urlopen(asked, timeout=120)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()


def post_json(url: str, body: object, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Post a JSON value."""
    kind = {"Content-Type": "application/json", **headers}
    return request(url, json.dumps(body).encode(), kind)

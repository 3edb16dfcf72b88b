"""A PostgreSQL server of our own, to be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from service_process import free_port


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL that this user can start; None if none is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("initdb")
    folder = found[-1] if found else Path(on_path).parent if on_path else None
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        return None  # it does not run as root
    return folder


class PostgresProcess:
    """A server in a temporary folder; as a context manager it ends with the block.

    Args:
        binaries: folder of ``initdb`` and ``pg_ctl``.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="onnx2snn-postgres-"))

    @property
    def url(self) -> str:
        """Return its address."""
        return f"postgresql://o@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> PostgresProcess:
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres")
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "o")
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it; after a kill that takes until its last process has noticed."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1"
        log = self._folder / "log"
        deadline = time.monotonic() + 120
        while True:
            try:
                self._run("pg_ctl", "-D", self._data, "-o", options, "-l", log, "-w", "start")
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def kill(self) -> None:
        """Kill it at once: no checkpoint, no farewell to its clients."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            return

    @property
    def _data(self) -> Path:
        return self._folder / "db"

    def _run(self, name: str, *arguments: object) -> None:
        command = [str(self._binaries / name), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        quiet = subprocess.DEVNULL
        subprocess.run(command, check=True, cwd=self._folder, stdout=quiet, stderr=quiet)

"""What the sandboxed child does: the only process that opens models and data sets of strangers.

Its folder holds ``request.json`` and ``in/``; it writes ``out/`` and at last ``out/result.json``.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from onnx2snn.server.confinement import Limits, confine

SYSTEM_FOLDERS = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/proc",
    "/sys/devices",
    "/sys/bus",
    "/etc/ld.so.cache",
)
DEVICES = ("/dev/null", "/dev/urandom")
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def run(folder: Path, parent: int) -> NoReturn:
    """Run the task of a folder, confined, and end this process.

    Args:
        folder: of the task.
        parent: process id of the process that started this one and waits for it.
    """
    request = json.loads((folder / "request.json").read_bytes())
    os.chdir(folder)
    # Read by ONNX Runtime when it is first imported.
    os.environ |= {
        "ORT_DISABLE_TELEMETRY": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder / "out"),
    }
    os.nice(10)
    _offer_to_oom_killer()
    applied = confine(Limits(**request["limits"]), folder, library_folders(folder), parent)
    print(f"confined by {', '.join(applied)}", file=sys.stderr, flush=True)
    answer = _attempt(request, folder)
    text = json.dumps(answer, ensure_ascii=True)
    partial = folder / "out" / ".result.json"
    partial.write_text(text)
    partial.rename(folder / "out" / "result.json")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _offer_to_oom_killer() -> None:
    """Let the kernel, short of memory, end this process before any of the service."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return  # not Linux


def library_folders(folder: Path) -> list[Path]:
    """Return what Python and its libraries are loaded from, links resolved.

    Args:
        folder: of the task; no entry of the module path that holds it is among them, since the
            files of others lie there, too.
    """
    import onnx2snn

    rooms = [room for base in onnx2snn.__path__ for room in Path(base).glob("*")]
    entries = [Path(entry).resolve() for entry in sys.path if entry]
    named: list[str | Path] = [sys.prefix, sys.base_prefix, *SYSTEM_FOLDERS, *DEVICES, *rooms]
    found = {Path(name).resolve() for name in named}
    found |= {entry for entry in entries if entry not in folder.resolve().parents}
    return [path for path in sorted(found) if path.exists() and path != Path("/")]


def _attempt(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run the task; what goes wrong becomes a value."""
    try:
        task = importlib.import_module(f"onnx2snn.server.tasks.{request['task']}")
        return {"value": task.run(request["arguments"], folder, _Progress(folder / "out"))}
    except Exception as error:
        from traceback import print_exc

        print_exc()
        return {"error": _describe(error)}


def _describe(error: Exception) -> dict[str, Any]:
    from onnx2snn.ir.errors import Onnx2SnnError
    from onnx2snn.server.tasks.memory import OUT_OF_MEMORY, is_about_memory

    if isinstance(error, MemoryError) or is_about_memory(str(error)):
        return OUT_OF_MEMORY.model_dump(mode="json")
    if isinstance(error, Onnx2SnnError):
        findings = [finding.model_dump(mode="json") for finding in error.findings]
        return {
            "code": error.code,
            "message": error.message,
            "remedy": error.remedy,
            "findings": findings[:1000],
        }
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return {"code": "storage-full", "message": "the disk of the service is full"}
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return {
            "code": "result-too-large",
            "message": "the result is larger than a file of the service may be",
            "remedy": "record less, or fewer samples",
        }
    if type(error).__module__.startswith("onnxruntime"):
        return {
            "code": "runtime-refused",
            "message": f"ONNX Runtime does not run this model: {str(error)[:500]}",
            "remedy": "check that ONNX Runtime runs the model on your machine",
        }
    return {
        "code": "internal-error",
        "message": f"{type(error).__name__}: {str(error)[:500]}",
        "remedy": "this is a bug of onnx2snn: please report it with the log of the job",
    }


class _Progress:
    """Writes what is going on to a file that the parent follows."""

    def __init__(self, folder: Path) -> None:
        self._stream = (folder / "progress.jsonl").open("a", buffering=1)
        self._last: tuple[str, float] = ("", 0.0)
        self._stages: set[str] = set()

    def __call__(self, stage: str, share: float) -> None:
        """Tell the stage and the share of it done."""
        name, told = self._last
        now = time.monotonic()
        if stage == name and now - told < 0.2 and share < 1:
            return
        self._last = (stage, now)
        self._stages.add(stage)
        entry = {"stage": stage, "share": round(share, 4), "number": len(self._stages)}
        self._stream.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    run(Path(sys.argv[1]), os.getppid())

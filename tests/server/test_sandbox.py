from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.server.conftest import ROOT

PROBES = """
import ctypes, json, os, signal, socket, sys, threading
from pathlib import Path
from onnx2snn.server.confinement import Limits, confine
from onnx2snn.server.sandbox_child import library_folders
folder, parent = Path(sys.argv[1]), int(sys.argv[2])
applied = confine(Limits(2**30, 30, 2**20), folder, library_folders(folder), parent)
def attempt(action):
    try:
        action()
        return "allowed"
    except BaseException as error:
        return type(error).__name__
def fork():
    if not os.fork():
        os._exit(0)
def thread():
    threading.Thread(target=int).start()
result = {
    "applied": applied,
    "read own": attempt(lambda: (folder / "mine").write_text("x")),
    "read /etc/passwd": attempt(lambda: open("/etc/passwd").read()),
    "read other": attempt(lambda: open(sys.argv[3]).read()),
    "write /tmp": attempt(lambda: open("/tmp/onnx2snn-escape", "w")),
    "socket": attempt(lambda: socket.socket().connect(("127.0.0.1", 1))),
    "udp": attempt(lambda: socket.socket(type=socket.SOCK_DGRAM)),
    "unix": attempt(lambda: socket.socket(socket.AF_UNIX)),
    "exec": attempt(lambda: os.execv("/bin/sh", ["sh", "-c", "exit 0"])),
    "fork": attempt(fork),
    "leave session": attempt(os.setsid),
    "thread": attempt(thread),
    "signal": attempt(lambda: os.kill(parent, 0)),
    "memory": attempt(lambda: bytearray(2**31)),
    "big file": attempt(lambda: (folder / "big").write_bytes(b"0" * 2**21)),
}
print(json.dumps(result))
"""


def test_child_can_reach_nothing_but_its_folder(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("confinement is Linux only")
    folder = tmp_path / "work"
    folder.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("s")
    ran = subprocess.run(
        [sys.executable, "-c", PROBES, folder, str(__import__("os").getpid()), secret],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    applied = result.pop("applied")
    assert result.pop("read own") == "allowed"
    assert result.pop("thread") == "allowed"
    assert result["memory"] == "MemoryError"
    assert result["big file"] == "OSError"
    if "landlock" in applied:
        assert result["read /etc/passwd"] == "PermissionError"
        assert result["read other"] == "PermissionError"
        assert result["write /tmp"] == "PermissionError"
    if "seccomp" in applied:
        for name in ("socket", "udp", "unix", "exec", "fork", "leave session", "signal"):
            assert result[name] == "PermissionError", name


def test_secrets_are_not_handed_to_children(monkeypatch: pytest.MonkeyPatch) -> None:
    from onnx2snn.server.children import child_environment

    monkeypatch.setenv("DATABASE_URL", "postgresql://hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in str(child_environment())
    assert child_environment()["ORT_DISABLE_TELEMETRY"] == "1"


def test_importing_the_server_imports_nothing_that_parses_models() -> None:
    code = (
        "import sys, onnx2snn.server.app, onnx2snn.server.serve;"
        "bad = {'onnx', 'onnxruntime', 'numpy'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr

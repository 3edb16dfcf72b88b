"""Children forked from a warm process: each alone, and none left over."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_process import children, is_zygote
from tests.server.attacks import endless_loop

from onnx2snn.server.sandbox import KilledError, Sandbox, StoppedError, Workplace
from onnx2snn.server.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a zygote is for Linux")
CHECK = {"model": "m.onnx", "preset": "graded", "strict": False}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(Settings(data_dir=tmp_path, database_url=""))
    yield made
    made.close()


def zygote() -> int:
    """Return the one zygote; one of a test before may take a moment to be gone."""
    deadline = time.monotonic() + 120
    while len(found := list(filter(is_zygote, children(os.getpid())))) != 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found[0]


def wait_for_child(parent: int) -> int:
    deadline = time.monotonic() + 120
    while not (found := children(parent)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found[0]


def run_endless(sandbox: Sandbox, place: Workplace, stop: threading.Event) -> object:
    (place.inputs / "m.onnx").write_bytes(endless_loop())
    return sandbox.run(place, "check", CHECK, seconds=600, stop=stop.is_set)


def test_each_task_has_a_process_of_its_own_with_nothing_open(sandbox: Sandbox) -> None:
    stop, seen = threading.Event(), []

    def look() -> None:
        parent = zygote()
        child = wait_for_child(parent)
        time.sleep(0.3)
        files = Path(f"/proc/{child}/fd")
        seen.append({os.readlink(file) for file in files.iterdir()})
        seen.append({f"pid {child}", f"session {os.getsid(child)}"})
        stop.set()

    with sandbox.workplace() as place:
        sandbox.warm()
        thread = threading.Thread(target=look)
        thread.start()
        with pytest.raises(StoppedError):
            run_endless(sandbox, place, stop)
        thread.join()
        opened = {name for name in seen[0] if not name.startswith(str(place.folder))}
    assert opened <= {"/dev/null"}
    (pid,), (session,) = (
        [w.split()[1] for w in seen[1] if w.startswith(k)] for k in ("pid", "session")
    )
    assert pid == session
    assert not children(zygote())


def test_a_killed_zygote_takes_its_children_along_and_is_replaced(sandbox: Sandbox) -> None:
    sandbox.warm()
    killed: list[int] = []

    def kill() -> None:
        parent = zygote()
        killed.extend((parent, wait_for_child(parent)))
        os.kill(parent, signal.SIGKILL)

    with sandbox.workplace() as place:
        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(KilledError):
            run_endless(sandbox, place, threading.Event())
        thread.join()
        deadline = time.monotonic() + 120
        while any(Path(f"/proc/{pid}").exists() for pid in killed):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    with sandbox.workplace() as place:
        answer = sandbox.run(place, "catalogue", {}, seconds=600)
    assert {preset["name"] for preset in answer["presets"]} >= {"graded", "rate"}
    assert zygote() not in killed


def test_a_killed_child_is_told_apart(sandbox: Sandbox) -> None:
    sandbox.warm()

    def kill() -> None:
        os.kill(wait_for_child(zygote()), signal.SIGKILL)

    with sandbox.workplace() as place:
        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(KilledError):
            run_endless(sandbox, place, threading.Event())
        thread.join()


def test_fresh_interpreters_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnx2snn.server import sandbox as module
    from onnx2snn.server.children import FreshStarter

    monkeypatch.setattr(module, "starter", FreshStarter)
    sandbox = Sandbox(Settings(data_dir=tmp_path, database_url=""))
    with sandbox.workplace() as place:
        answer = sandbox.run(place, "catalogue", {}, seconds=600)
        assert answer["operators"]
        assert "confined by rlimits" in place.log()
    stop = threading.Event()
    stop.set()
    with sandbox.workplace() as place, pytest.raises(StoppedError):
        run_endless(sandbox, place, stop)

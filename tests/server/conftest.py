from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest

pytest.importorskip("dbos", reason="needs the extra 'server'")

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "cli" / "demo_data"
MODEL = DEMO / "digits_cnn.onnx"
CALIBRATION = DEMO / "digits_calibration.npz"
TEST_DATA = DEMO / "digits.npz"


@dataclass
class Running:
    """A service in a process of its own."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    verb: str = "serve"
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> Running:
        names = [name for name in os.environ if name.startswith("ONNX2SNN_")]
        environment = {name: value for name, value in os.environ.items() if name not in names}
        environment |= {
            "ONNX2SNN_DATA_DIR": str(self.folder),
            "ONNX2SNN_PORT": str(self.port),
            "ONNX2SNN_WORKERS": "2",
            "ONNX2SNN_WORKER_ID": "here",
            "ONNX2SNN_HEARTBEAT_SECONDS": "1",
            "PYTHONPATH": str(ROOT / "src"),
            **self.settings,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "service.log").open("ab") as log:
            command = [sys.executable, "-P", "-m", "onnx2snn.cli.app", self.verb]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        if self.verb == "serve":
            self.wait_until_healthy()
        return self

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.log()
            try:
                if httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise AssertionError(self.log())

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def log(self) -> str:
        return (self.folder / "service.log").read_text(errors="replace")[-5000:]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


Launch = Callable[..., Running]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts services that end with the test."""
    running: list[Running] = []

    def start(folder: str = "data", verb: str = "serve", **settings: str) -> Running:
        names = {f"ONNX2SNN_{name.upper()}": value for name, value in settings.items()}
        service = Running(tmp_path / folder, free_port(), names, verb)
        running.append(service)
        return service.start()

    yield start
    for service in running:
        if service.process is not None and service.process.poll() is None:
            service.kill()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all tests that do not harm it."""
    settings = {
        "ONNX2SNN_CHECK_SECONDS": "15",
        "ONNX2SNN_JOB_SECONDS": "60",
        "ONNX2SNN_SANDBOX_MEMORY_BYTES": str(3 * 2**30),
        "ONNX2SNN_MAX_UPLOAD_BYTES": str(8 * 2**20),
    }
    folder = tmp_path_factory.mktemp("service")
    running = Running(folder / "data", free_port(), settings).start()
    yield running
    assert running.stop() in (0, -signal.SIGTERM), running.log()


@pytest.fixture
def client(service: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


def upload_model(client: httpx.Client, content: bytes, name: str = "net.onnx") -> str:
    answer = client.post("/v1/models", params={"name": name}, content=content)
    assert answer.status_code == 201, answer.text
    model_id: str = answer.json()["id"]
    return model_id


def upload_data(client: httpx.Client, path: Path) -> str:
    answer = client.post("/v1/datasets", params={"name": path.name}, content=path.read_bytes())
    assert answer.status_code == 201, answer.text
    dataset_id: str = answer.json()["id"]
    return dataset_id


def wait_for(client: httpx.Client, job_id: str, seconds: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        if job["done"]:
            return job
        time.sleep(0.1)
    raise AssertionError(f"the job has not ended: {job}")


def convert(client: httpx.Client, **options: Any) -> dict[str, Any]:
    answer = client.post("/v1/conversions", json=options)
    assert answer.status_code == 202, answer.text
    return wait_for(client, answer.json()["id"])


def perceptron(seed: int, hidden: int = 8) -> bytes:
    """A small network; every seed is another one."""
    rng = np.random.default_rng(seed)
    text = """<ir_version: 8, opset_import: ["" : 17]>
    mlp (float[N, 6] x) => (float[N, 3] y) {
        h = MatMul(x, w1)
        r = Relu(h)
        y = MatMul(r, w2)
    }"""
    model = onnx.parser.parse_model(text)
    for name, shape in (("w1", (6, hidden)), ("w2", (hidden, 3))):
        values = rng.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    return bytes(model.SerializeToString())

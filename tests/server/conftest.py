from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest

pytest.importorskip("dbos", reason="needs the extra 'server'")
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
from service_process import ServiceProcess, free_port

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "cli" / "demo_data"
MODEL = DEMO / "digits_cnn.onnx"
CALIBRATION = DEMO / "digits_calibration.npz"
TEST_DATA = DEMO / "digits.npz"


Running = ServiceProcess
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

"""Kill everything, again and again: no accepted job is lost, none is done twice in effect."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from service_process import is_zygote, sandboxed
from tests.server.conftest import (
    CALIBRATION,
    MODEL,
    Launch,
    Running,
    free_port,
    perceptron,
    upload_data,
    upload_model,
    wait_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("service")]
ROUNDS = int(os.environ.get("ONNX2SNN_TEST_KILL_ROUNDS", "10"))


def submit(client: httpx.Client, model_id: str, dataset_id: str, key: str) -> str:
    body = {"model_id": model_id, "calibration_id": dataset_id, "evaluate": False}
    answer = client.post("/v1/conversions", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def check_store(service: Running) -> None:
    """Every stored file is what its name says."""
    for path in (service.folder / "files" / "sha256").glob("*/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def test_server_killed_at_any_moment(launch: Launch) -> None:
    service = launch()
    chance = random.Random(0)
    jobs: dict[str, str] = {}
    expected: set[str] = set()
    for turn in range(ROUNDS):
        with httpx.Client(base_url=service.url, timeout=60) as client:
            model_id = upload_model(client, MODEL.read_bytes(), "digits.onnx")
            dataset_id = upload_data(client, CALIBRATION)
            for n in range(2):
                key = f"{turn}-{n}"
                jobs[key] = submit(client, model_id, dataset_id, key)
            time.sleep(chance.uniform(0, 2.5))
            kind = chance.choice(("child", "server", "upload"))
            before = sandboxed(service.pid)
            if kind == "child":
                for pid in before:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                continue
            if kind == "upload":
                half_an_upload(service)
            service.kill()
        gone_by = time.monotonic() + 10  # a child that was just starting notices a little later
        while any(is_zygote(pid) for pid in before):
            assert time.monotonic() < gone_by, "a child outlived its parent"
            time.sleep(0.05)
        service.start()
        with httpx.Client(base_url=service.url, timeout=60) as client:
            # the client does not know whether its last request arrived: it asks again
            assert submit(client, model_id, dataset_id, f"{turn}-1") == jobs[f"{turn}-1"]
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for job_id in jobs.values():
            job = wait_for(client, job_id, seconds=120)
            assert job["state"] == "succeeded", job
            expected.add(job["snn_id"])
        assert len(expected) == 1
        listed = client.get("/v1/jobs", params={"page_size": 200}).json()["items"]
        assert len(listed) == len(jobs)
        content = client.get(f"/v1/snns/{expected.pop()}/content").content
        assert hashlib.sha256(content).hexdigest() == job["snn_id"]
        assert len(client.get("/v1/models").json()["items"]) == 1
    check_store(service)
    assert not list((service.folder / "incoming").iterdir())
    assert not list((service.folder / "work").iterdir())


def test_jobs_survive_the_loss_of_the_engine_s_database(launch: Launch) -> None:
    service = launch(workers="0")
    with httpx.Client(base_url=service.url, timeout=60) as client:
        job_id = submit(
            client, upload_model(client, MODEL.read_bytes()), upload_data(client, CALIBRATION), "k"
        )
        time.sleep(3)  # it has been handed to the engine
    service.stop()
    for path in service.folder.glob("jobs.db*"):
        path.unlink()
    service.settings |= {"ONNX2SNN_WORKERS": "1", "ONNX2SNN_TIDY_SECONDS": "2"}
    service.start()
    with httpx.Client(base_url=service.url, timeout=60) as client:
        job = wait_for(client, job_id, seconds=60)
        assert (job["state"], job["attempt"]) == ("succeeded", 2)


def half_an_upload(service: Running) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as line:
        line.sendall(
            b"POST /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n"
        )
        line.sendall(b"x" * 300_000)
        time.sleep(0.1)


def test_disk_full_answers_507_and_recovers(launch: Launch, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], capture_output=True
    )
    if mount.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        service = launch("disk/data", workers="1")
        ballast = disk / "ballast"
        with httpx.Client(base_url=service.url, timeout=60) as client:
            model_id = upload_model(client, perceptron(1))
            ballast.write_bytes(b"0" * (shutil.disk_usage(disk).free - 2 * 2**20))
            full = client.post("/v1/models", content=os.urandom(4 * 2**20))
            assert (full.status_code, full.json()["code"]) == (507, "storage-full")
            assert full.headers["retry-after"]
            assert client.get("/healthz").status_code == 200
            ballast.unlink()
            assert upload_model(client, os.urandom(4 * 2**20))
            job = client.post("/v1/conversions", json={"model_id": model_id}).json()
            assert wait_for(client, job["id"])["state"] == "succeeded"
        check_store(service)
        service.kill()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """A PostgreSQL server of our own."""
    if not POSTGRES or shutil.which("runuser") is None or os.geteuid() != 0:
        pytest.skip("needs a PostgreSQL installation, and root to start it as 'postgres'")
    folder = Path("/tmp") / f"onnx2snn-pg-{os.getpid()}"
    folder.mkdir(mode=0o700)
    shutil.chown(folder, "postgres")
    port = free_port()

    def as_postgres(*command: object) -> None:
        words = [str(word) for word in command]
        subprocess.run(["runuser", "-u", "postgres", "--", *words], check=True, cwd=folder)

    binaries = POSTGRES[-1]
    as_postgres(binaries / "initdb", "-D", folder / "db", "-A", "trust", "-U", "o", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    as_postgres(
        binaries / "pg_ctl", "-D", folder / "db", "-o", options, "-l", folder / "log", "-w", "start"
    )
    yield f"postgresql://o@127.0.0.1:{port}/postgres"
    as_postgres(binaries / "pg_ctl", "-D", folder / "db", "-m", "immediate", "-w", "stop")
    shutil.rmtree(folder)


@pytest.fixture
def s3() -> Iterator[str]:
    """A stand-in for S3."""
    server = pytest.importorskip("moto.server", reason="needs moto[server]")
    threaded = server.ThreadedMotoServer(ip_address="127.0.0.1", port=free_port())
    threaded.start()
    host, port = threaded.get_host_and_port()
    httpx.put(f"http://{host}:{port}/models-and-networks")
    yield f"http://{host}:{port}"
    threaded.stop()


def test_dead_worker_is_taken_over(launch: Launch, postgres: str, s3: str) -> None:
    shared = {
        "database_url": postgres, "store": "s3://models-and-networks/service", "s3_endpoint": s3,
        "s3_access_key": "k", "s3_secret_key": "s", "takeover_seconds": "5",
    }  # fmt: skip
    front = launch("front", workers="0", **shared)
    first = launch("first", verb="worker", workers="1", worker_id="first", **shared)
    with httpx.Client(base_url=front.url, timeout=60) as client:
        model_id = upload_model(client, MODEL.read_bytes(), "digits.onnx")
        dataset_id = upload_data(client, CALIBRATION)
        jobs = [submit(client, model_id, dataset_id, str(n)) for n in range(6)]
        deadline = time.monotonic() + 60
        while not sandboxed(first.pid):
            assert time.monotonic() < deadline, first.log()
            time.sleep(0.02)
        first.kill()
        killed = time.monotonic()
        launch("second", verb="worker", workers="1", worker_id="second", **shared)
        done = [wait_for(client, job_id, seconds=120) for job_id in jobs]
        assert {job["state"] for job in done} == {"succeeded"}
        assert len({job["snn_id"] for job in done}) == 1
        assert time.monotonic() - killed < 60
        logs = [client.get(f"/v1/jobs/{job_id}/logs").text for job_id in jobs]
        assert any("taken over from worker first" in log for log in logs)
        content = client.get(done[0]["links"]["content"])
        assert hashlib.sha256(content.content).hexdigest() == done[0]["snn_id"]
        part = client.get(done[0]["links"]["content"], headers={"Range": "bytes=3-9"})
        assert (part.status_code, part.content) == (206, content.content[3:10])
        assert client.get("/readyz").json()["status"] == "ok"
    assert not (front.folder / "files").exists()

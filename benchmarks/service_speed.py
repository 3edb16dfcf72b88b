"""Times of one service: upload to downloaded network, reads while it works, uploads at once."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from service_process import ServiceProcess, free_port, post_json, request, resident_bytes

READS = 400
UPLOADS = 100


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an ONNX model")
    parser.add_argument("calibration", type=Path, help="its samples (.npz)")
    parser.add_argument("--samples", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        service = ServiceProcess(Path(folder) / "data", free_port()).start()
        rows: dict[str, object] = {"start, s": round(time.monotonic() - started, 1)}
        try:
            model, data = options.model.read_bytes(), options.calibration.read_bytes()
            for name in ("first", "warm"):
                seconds, peak = conversion(service, model, data, options.samples, name)
                rows[f"upload to SNN, {name}, s"] = round(seconds, 1)
                rows[f"largest RSS of the server, {name}, MB"] = peak // 2**20
            rows |= reads_while_it_works(service, model, data, options.samples)
            rows |= many_uploads(service)
            rows["largest RSS of the server, all of it, MB"] = (
                resident_bytes(service.pid, "VmHWM") // 2**20
            )
        finally:
            service.stop()
    for name, value in rows.items():
        print(f"| {name} | {value} |")


def conversion(
    service: ServiceProcess, model: bytes, data: bytes, samples: int, label: str
) -> tuple[float, int]:
    """Upload, convert without evaluation, download; return seconds and memory."""
    start = time.monotonic()
    job = wait(service, ask(service, model, data, samples, label))
    status, _, content = request(service.url + job["links"]["content"])
    if status != 200 or not content:
        raise RuntimeError(f"no network: {status}")
    return time.monotonic() - start, resident_bytes(service.pid)


def ask(service: ServiceProcess, model: bytes, data: bytes, samples: int, label: str) -> str:
    """Upload model and data and ask for a conversion; return the job's id."""
    ids = [
        json.loads(request(f"{service.url}/v1/{kind}", content)[2])["id"]
        for kind, content in (("models", model), ("datasets", data))
    ]
    body = {
        "model_id": ids[0], "calibration_id": ids[1], "samples": samples, "evaluate": False,
        "label": label,
    }  # fmt: skip
    job_id: str = json.loads(post_json(f"{service.url}/v1/conversions", body)[2])["id"]
    return job_id


def wait(service: ServiceProcess, job_id: str) -> dict[str, Any]:
    """Return a job that has succeeded."""
    while True:
        job: dict[str, Any] = json.loads(request(f"{service.url}/v1/jobs/{job_id}")[2])
        if job["done"]:
            break
        time.sleep(0.1)
    if job["state"] != "succeeded":
        raise RuntimeError(f"{job['state']}: {job['error']}")
    return job


def reads_while_it_works(
    service: ServiceProcess, model: bytes, data: bytes, samples: int
) -> dict[str, object]:
    """Read the list of jobs over and over while two conversions run."""
    jobs = [ask(service, model, data, samples, f"work {n}") for n in range(2)]
    times = []
    for _ in range(READS):
        start = time.perf_counter()
        status, _, _ = request(f"{service.url}/v1/jobs")
        times.append(time.perf_counter() - start)
        if status != 200:
            raise RuntimeError(f"{status}")
    states = [json.loads(request(f"{service.url}/v1/jobs/{job}")[2])["state"] for job in jobs]
    for job in jobs:
        wait(service, job)
    times.sort()
    return {
        "GET /v1/jobs, two conversions running, median ms": round(times[len(times) // 2] * 1e3, 1),
        "the same, p99 ms": round(times[int(len(times) * 0.99)] * 1e3, 1),
        "conversions at the end of the reads": ", ".join(states),
    }


def many_uploads(service: ServiceProcess) -> dict[str, object]:
    """Upload files of one megabyte, all at once; every one must be there afterwards."""
    contents = [os.urandom(2**20) for _ in range(UPLOADS)]
    barrier = threading.Barrier(UPLOADS)

    def upload(content: bytes) -> str:
        barrier.wait()
        status, _, body = request(f"{service.url}/v1/models", content)
        return str(json.loads(body)["id"]) if status == 201 else f"{status}"

    start = time.monotonic()
    with ThreadPoolExecutor(UPLOADS) as pool:
        ids = list(pool.map(upload, contents))
    seconds = time.monotonic() - start
    lost = sum(
        request(f"{service.url}/v1/models/{model_id}/content")[2] != content
        for model_id, content in zip(ids, contents, strict=True)
    )
    return {f"{UPLOADS} uploads of 1 MB at once, s": round(seconds, 1), "of them lost": lost}


if __name__ == "__main__":
    main()

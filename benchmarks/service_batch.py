"""A batch of many small models through one service: time, summary, memory.

python benchmarks/service_batch.py --models 1000
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
from service_process import ServiceProcess, free_port, post_json, request, resident_bytes


def perceptron(seed: int, hidden: int = 8) -> bytes:
    """Return a small network; every seed makes another one."""
    rng = np.random.default_rng(seed)
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
    mlp (float[N, 6] x) => (float[N, 3] y) {
        h = MatMul(x, w1)
        r = Relu(h)
        y = MatMul(r, w2)
    }""")
    for name, shape in (("w1", (6, hidden)), ("w2", (hidden, 3))):
        values = rng.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    return bytes(model.SerializeToString())


def run_batch(service: ServiceProcess, models: int, bad: int) -> dict[str, object]:
    """Upload ``models`` models, ``bad`` of them no models at all, convert them as one batch."""
    contents = [perceptron(seed) for seed in range(models - bad)]
    contents += [f"no model, number {n}".encode() for n in range(bad)]
    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda body: request(f"{service.url}/v1/models", body), contents)
        ids = [json.loads(body)["id"] for _, _, body in answers]
    uploaded = time.monotonic()
    status, _, body = post_json(f"{service.url}/v1/batches", {"model_ids": ids})
    assert status == 202, body
    batch = json.loads(body)
    accepted, most = time.monotonic(), 0
    while not (job := service.client.job(batch["id"])).done:
        most = max(most, resident_bytes(service.pid))
        time.sleep(0.5)
    done = time.monotonic()
    return {
        "models": models,
        "upload s": round(uploaded - start, 1),
        "accept s": round(accepted - uploaded, 2),
        "batch s": round(done - accepted, 1),
        "models/s": round(models / (done - accepted), 2),
        "server RSS MB": most // 2**20,
        "state": job.state,
        **(job.result or {}),
    }


def main() -> None:
    """Print what the batch took and came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--bad", type=int, default=10, help="how many of them are no models")
    parser.add_argument("--workers", default="2")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"ONNX2SNN_WORKERS": options.workers}
        service = ServiceProcess(Path(folder) / "data", free_port(), settings).start()
        try:
            for name, value in run_batch(service, options.models, options.bad).items():
                print(f"| {name} | {value} |")
        finally:
            service.stop()


if __name__ == "__main__":
    main()

"""Kill -9 of every part of a service, round after round: is an accepted job lost or done twice?

Starts PostgreSQL, an API process and two workers over one folder of files. Each round hands in two
jobs, kills one part at a chosen moment, and starts it again; the client repeats requests that
were not answered, with the same Idempotency-Key. At the end every job must have ended well, once,
with the network that an undisturbed conversion gives; every stored file must be what its name
says; and nothing may be stored that nothing refers to.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import socket
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postgres_process import PostgresProcess, binaries
from service_batch import perceptron
from service_process import (
    ServiceProcess,
    children,
    free_port,
    is_zygote,
    post_json,
    request,
    sandboxed,
)

DEMO = Path(__file__).resolve().parents[1] / "cli" / "demo_data"
PATIENCE = 900.0
MODELS = 6


@dataclass
class Cluster:
    """The processes that are killed, and what was handed in.

    Attributes:
        front: the API.
        workers: run the jobs.
        database: PostgreSQL.
        store: folder of the files.
        jobs: job ids by idempotency key.
        models: which model each key converts.
    """

    front: ServiceProcess
    workers: list[ServiceProcess]
    database: PostgresProcess
    store: Path
    jobs: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)

    @property
    def processes(self) -> list[ServiceProcess]:
        """Return API and workers."""
        return [self.front, *self.workers]


def persistent(cluster: Cluster, send: Callable[[], tuple[int, dict[str, str], bytes]]) -> Any:
    """Repeat a request until the service answers it; give the JSON of the answer."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(OSError):
            status, _, body = send()
            if status < 400:
                return json.loads(body)
            if status not in (500, 503):
                raise RuntimeError(f"{status} {body!r}")
            if status == 500:
                raise RuntimeError(f"a failure without a name: {body!r}\n{cluster.front.log()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"no answer\n{cluster.front.log()}")
        time.sleep(0.1)


def hand_in(cluster: Cluster, model: bytes, data: bytes, key: str) -> None:
    """Upload and ask for a conversion, as often as it takes; the same key is one job."""
    url = cluster.front.url
    model_id = persistent(cluster, lambda: request(f"{url}/v1/models", model))["id"]
    body: dict[str, Any] = {"model_id": model_id}
    if data:
        body["calibration_id"] = persistent(cluster, lambda: request(f"{url}/v1/datasets", data))[
            "id"
        ]
    job_id = persistent(
        cluster,
        lambda: post_json(f"{url}/v1/conversions", body, **{"Idempotency-Key": key}),
    )["id"]
    if cluster.jobs.setdefault(key, job_id) != job_id:
        raise RuntimeError(f"the key {key} is two jobs: {cluster.jobs[key]} and {job_id}")
    cluster.models[key] = model_id


def kill(pid: int) -> None:
    """Kill one process that may have ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_children(cluster: Cluster) -> None:
    """Kill the processes that convert."""
    for worker in cluster.workers:
        for pid in sandboxed(worker.pid):
            kill(pid)


def kill_zygote(cluster: Cluster) -> None:
    """Kill what starts the processes that convert."""
    for worker in cluster.workers:
        for pid in filter(is_zygote, children(worker.pid)):
            kill(pid)


def kill_worker(cluster: Cluster) -> None:
    """Kill a worker while it works, if one does."""
    busy = next((worker for worker in cluster.workers if sandboxed(worker.pid)), None)
    restart(busy or cluster.workers[0])


def kill_writing_worker(cluster: Cluster) -> None:
    """Kill a worker that has a result in hand and is about to store it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for worker in cluster.workers:
            if any((worker.folder / "work").glob("*/out/result.json")):
                restart(worker)
                return
        time.sleep(0.001)
    restart(cluster.workers[0])


def kill_server(cluster: Cluster) -> None:
    """Kill the API."""
    restart(cluster.front)


def kill_server_receiving(cluster: Cluster) -> None:
    """Kill the API while a file arrives."""
    head = b"POST /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", cluster.front.port)) as line:
        line.sendall(head + b"x" * 300_000)
        time.sleep(0.05)
        restart(cluster.front)


def kill_database(cluster: Cluster) -> None:
    """Kill PostgreSQL."""
    cluster.database.kill()
    cluster.database.start()


def kill_everything(cluster: Cluster) -> None:
    """Kill all of it, as a power switch would."""
    for process in cluster.processes:
        kill(process.pid)
    cluster.database.kill()
    cluster.database.start()
    for process in cluster.processes:
        restart(process)


def restart(process: ServiceProcess) -> None:
    """Kill a process and start it again."""
    process.kill()
    process.start()


VICTIMS: tuple[tuple[str, Callable[[Cluster], None]], ...] = (
    ("sandboxed child", kill_children),
    ("zygote", kill_zygote),
    ("worker, converting", kill_worker),
    ("worker, writing a result", kill_writing_worker),
    ("API", kill_server),
    ("API, receiving a file", kill_server_receiving),
    ("PostgreSQL", kill_database),
    ("everything", kill_everything),
)


def wait_for_jobs(cluster: Cluster, keys: list[str]) -> list[dict[str, Any]]:
    """Return the jobs of these keys once all have ended."""
    ended = []
    deadline = time.monotonic() + PATIENCE
    for key in keys:
        url = f"{cluster.front.url}/v1/jobs/{cluster.jobs[key]}"
        while not (job := persistent(cluster, lambda url=url: request(url)))["done"]:  # type: ignore[misc]
            if time.monotonic() > deadline:
                raise RuntimeError(f"not done: {job}")
            time.sleep(0.1)
        ended.append(job)
    return ended


def one_round(cluster: Cluster, number: int, chance: random.Random) -> tuple[str, float]:
    """Hand in, kill, start again, wait; return the victim and the seconds from kill to done."""
    name, act = VICTIMS[number % len(VICTIMS)]
    digits = (DEMO / "digits_cnn.onnx").read_bytes()
    data = (DEMO / "digits_calibration.npz").read_bytes()
    keys = [f"{number}-digits", f"{number}-small"]
    hand_in(cluster, digits, data, keys[0])
    hand_in(cluster, perceptron(number % MODELS), b"", keys[1])
    if act is not kill_writing_worker:
        time.sleep(chance.uniform(0, 1.5))
    start = time.monotonic()
    act(cluster)
    # The client cannot know whether its last request arrived: it asks again.
    hand_in(cluster, perceptron(number % MODELS), b"", keys[1])
    wait_for_jobs(cluster, keys)
    return name, time.monotonic() - start


def verify(cluster: Cluster) -> dict[str, int]:
    """Count what must not be: everything but ``jobs`` and ``networks`` is to be 0."""
    keys = list(cluster.jobs)
    jobs = wait_for_jobs(cluster, keys)
    by_model: dict[str, set[str]] = defaultdict(set)
    for key, job in zip(keys, jobs, strict=True):
        by_model[cluster.models[key]].add(str(job["snn_id"]))
    url = cluster.front.url
    wrong = twice = 0
    for model_id, made in by_model.items():
        calibration = next(j["config"]["calibration_id"] for j in jobs if j["model_id"] == model_id)
        body = {"model_id": model_id, "calibration_id": calibration}
        again = persistent(cluster, lambda body=body: post_json(f"{url}/v1/conversions", body))  # type: ignore[misc]
        cluster.jobs["again"] = again["id"]
        (undisturbed,) = wait_for_jobs(cluster, ["again"])
        wrong += made != {undisturbed["snn_id"]}
        del cluster.jobs["again"]
    for job in jobs:
        log = request(f"{url}/v1/jobs/{job['id']}/logs")[2].decode()
        twice += log.count("state=succeeded") != 1
    served = {item["id"] for item in all_items(cluster, "snns")}
    torn = sum(
        hashlib.sha256(request(f"{url}/v1/snns/{snn_id}/content")[2]).hexdigest() != snn_id
        for snn_id in served
    )
    files = list((cluster.store / "sha256").glob("*/*"))
    torn += sum(hashlib.sha256(file.read_bytes()).hexdigest() != file.name for file in files)
    expected = {str(job["snn_id"]) for job in jobs}
    accepted = set(cluster.jobs.values())
    listed = [item["id"] for item in all_items(cluster, "jobs")]
    return {
        "jobs": len(jobs),
        "networks": len(expected),
        "lost": sum(job["state"] != "succeeded" for job in jobs) + len(accepted - set(listed)),
        "done twice": twice,
        "jobs nobody asked for": len(listed) - len(jobs) - len(by_model),
        "wrong network": wrong,
        "networks nobody made": len(served - expected),
        "torn files": torn,
        "left in upload folder": sum(1 for _ in (cluster.front.folder / "incoming").iterdir()),
        "left in work folders": sum(
            1 for worker in cluster.workers for _ in (worker.folder / "work").iterdir()
        ),
        "files that nothing refers to": orphans(cluster),
    }


def all_items(cluster: Cluster, kind: str) -> list[dict[str, Any]]:
    """Return all pages of a list."""
    items: list[dict[str, Any]] = []
    token = ""
    while True:
        url = f"{cluster.front.url}/v1/{kind}?page_size=200&page_token={token}"
        page = persistent(cluster, lambda url=url: request(url))  # type: ignore[misc]
        items += page["items"]
        token = page["next_page_token"]
        if not token:
            return items


def orphans(cluster: Cluster) -> int:
    """Return how many files are left after the collector ran that no row refers to."""
    from sqlalchemy import create_engine, text

    cluster.front.settings |= {"ONNX2SNN_BLOB_GRACE_SECONDS": "0", "ONNX2SNN_TIDY_SECONDS": "1"}
    cluster.front.stop()
    cluster.front.start()
    tables = (
        ("models", "id"),
        ("datasets", "id"),
        ("snns", "id"),
        ("job_files", "sha256"),
        ("upload_parts", "sha256"),
    )
    engine = create_engine(cluster.database.url.replace("postgresql", "postgresql+psycopg"))
    with engine.connect() as connection:
        known = {
            row[0]
            for table, column in tables
            for row in connection.execute(text(f"SELECT {column} FROM {table}"))
        }
    engine.dispose()
    deadline = time.monotonic() + 30
    while True:
        stored = {file.name for file in (cluster.store / "sha256").glob("*/*")}
        if missing := known - stored:
            raise RuntimeError(f"files are missing: {missing}")
        if stored == known or time.monotonic() > deadline:
            return len(stored - known)
        time.sleep(0.5)


def run_rounds(
    folder: Path, database: PostgresProcess, rounds: int, seed: int = 0
) -> tuple[list[tuple[str, float]], dict[str, int]]:
    """Run the rounds over one service; return victim and recovery of each, and the account."""
    shared = {
        "ONNX2SNN_DATABASE_URL": database.url,
        "ONNX2SNN_STORE": f"file://{folder / 'files'}",
        "ONNX2SNN_TAKEOVER_SECONDS": "8",
        "ONNX2SNN_TIDY_SECONDS": "5",
    }
    front = ServiceProcess(folder / "front", free_port(), {**shared, "ONNX2SNN_WORKERS": "0"})
    workers = [
        ServiceProcess(
            folder / name,
            free_port(),
            {**shared, "ONNX2SNN_WORKERS": "1", "ONNX2SNN_WORKER_ID": name},
            "worker",
        )
        for name in ("first", "second")
    ]
    cluster = Cluster(front, workers, database, folder / "files")
    chance = random.Random(seed)
    told = []
    try:
        for process in cluster.processes:
            process.start()
        for number in range(rounds):
            told.append(one_round(cluster, number, chance))
            print(f"round {number + 1}: {told[-1][0]}, {told[-1][1]:.1f} s", flush=True)
        account = verify(cluster)
    finally:
        for process in cluster.processes:
            if process.process is not None:
                process.kill()
    return told, account


def main() -> None:
    """Print the rounds by victim and the account."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = binaries()
    if found is None:
        parser.error("PostgreSQL is not installed, or cannot be started by this user")
    with tempfile.TemporaryDirectory() as folder, PostgresProcess(found) as database:
        told, account = run_rounds(Path(folder), database, options.rounds, options.seed)
    times: dict[str, list[float]] = defaultdict(list)
    for name, seconds in told:
        times[name].append(seconds)
    print("\n| killed | rounds | median s to done | longest s |\n|---|---|---|---|")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| {name} | {len(seconds)} | {median:.1f} | {max(seconds):.1f} |")
    print("\n| account | |\n|---|---|")
    for name, count in account.items():
        print(f"| {name} | {count} |")


if __name__ == "__main__":
    main()

"""Large evaluations are shared among the workers of a Dask cluster, each in a confined child."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.conftest import (
    CALIBRATION,
    MODEL,
    TEST_DATA,
    Launch,
    convert,
    upload_data,
    upload_model,
    wait_for,
)

from onnx2snn.server.problems import Problem

pytestmark = [
    pytest.mark.xdist_group("service"),
    pytest.mark.filterwarnings("ignore"),  # what Dask and its event loops warn of is not ours
]


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A scheduler with two workers that see the store of the service, and not its database."""
    distributed = pytest.importorskip("distributed", reason="needs onnx2snn[cluster]")
    monkeypatch.setenv("ONNX2SNN_STORE", f"file://{tmp_path / 'data' / 'files'}")
    monkeypatch.setenv("ONNX2SNN_DATA_DIR", str(tmp_path / "worker"))
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    yield str(cluster.scheduler_address)
    cluster.close()


def report(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    found = client.get(f"/v1/snns/{job['snn_id']}/report", params={"format": "json"}).json()
    evaluation: dict[str, Any] = found["evaluation"]
    del evaluation["seconds"]
    return evaluation


def test_the_cluster_gives_the_same_account(launch: Launch, scheduler: str) -> None:
    service = launch(workers="1", cluster=scheduler, cluster_samples="300")
    with httpx.Client(base_url=service.url, timeout=60) as client:
        model_id = upload_model(client, MODEL.read_bytes(), "digits.onnx")
        calibration = upload_data(client, CALIBRATION)
        snn = convert(client, model_id=model_id, calibration_id=calibration, evaluate=False)
        data = {"snn_id": snn["snn_id"], "dataset_id": upload_data(client, TEST_DATA)}
        asked = {**data, "timesteps": [1, 3, 6]}
        job = wait_for(client, client.post("/v1/evaluations", json=asked).json()["id"], 600)
        assert job["state"] == "succeeded", job
        assert "parts on the cluster" in client.get(job["links"]["logs"]).text
        there = report(client, job)
        assert [point["timesteps"] for point in there["curve"]] == [1, 3, 6]
        service.stop()
        service.settings["ONNX2SNN_CLUSTER"] = ""
        service.start()
        asked["backend"] = "onnxruntime"  # what the default is on a cluster
        job = wait_for(client, client.post("/v1/evaluations", json=asked).json()["id"], 600)
        assert "cluster" not in client.get(job["links"]["logs"]).text
        assert report(client, job) == there


def test_a_hostile_part_is_told_of(scheduler: str, tmp_path: Path) -> None:
    from onnx2snn.server.cluster import measure_parts, room
    from onnx2snn.server.settings import Settings
    from onnx2snn.server.store import FileStore

    (tmp_path / "data").mkdir(exist_ok=True)
    store = FileStore(Settings(data_dir=tmp_path / "data", store=""))
    path = tmp_path / "evil"
    path.write_bytes(b"no model at all")
    sha256, _ = store.digest(path)
    store.put(sha256, path)
    assert room(scheduler) == 8
    with pytest.raises(Problem) as told:
        measure_parts(
            scheduler,
            {"m.onnx": sha256, "n.snn.onnx": sha256, "data.npz": sha256},
            {
                "model": "m.onnx", "snn": "n.snn.onnx", "data": "data.npz", "points": [1],
                "backend": "onnxruntime", "memory": "1GiB",
            },
            [(0, 1), (1, 2)],
            seconds=600,
            stop=lambda: False,
            done=lambda done, total: None,
        )  # fmt: skip
    assert told.value.code == "invalid-model"


def test_without_a_scheduler_there_is_no_room() -> None:
    pytest.importorskip("distributed", reason="needs onnx2snn[cluster]")
    from onnx2snn.server.cluster import room

    assert room("nonsense://x") == 0

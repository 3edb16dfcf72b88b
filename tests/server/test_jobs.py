from __future__ import annotations

import time

import httpx
import pytest
from tests.server.attacks import endless_loop
from tests.server.conftest import (
    MODEL,
    Launch,
    convert,
    perceptron,
    upload_model,
    wait_for,
)

pytestmark = pytest.mark.xdist_group("service")


def test_same_key_is_one_job(client: httpx.Client) -> None:
    body = {"model_id": upload_model(client, perceptron(20))}
    headers = {"Idempotency-Key": "key-of-this-test"}
    first = client.post("/v1/conversions", json=body, headers=headers)
    again = client.post("/v1/conversions", json=body, headers=headers)
    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]
    other = client.post("/v1/conversions", json={**body, "seed": 1}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert wait_for(client, first.json()["id"])["state"] == "succeeded"


def test_cancel_kills_the_child_and_retry_runs_again(client: httpx.Client) -> None:
    model_id = upload_model(client, endless_loop())
    job = client.post("/v1/conversions", json={"model_id": model_id}).json()
    deadline = time.monotonic() + 20
    while client.get(f"/v1/jobs/{job['id']}").json()["state"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    asked = time.monotonic()
    client.post(f"/v1/jobs/{job['id']}:cancel")
    job = wait_for(client, job["id"])
    assert job["state"] == "cancelled"
    assert time.monotonic() - asked < 3
    assert client.post(f"/v1/jobs/{job['id']}:cancel").json()["code"] == "conflict"
    again = client.post(f"/v1/jobs/{job['id']}:retry")
    assert (again.status_code, again.json()["attempt"]) == (202, 2)
    client.post(f"/v1/jobs/{job['id']}:cancel")
    assert wait_for(client, job["id"])["state"] == "cancelled"
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert client.get(f"/v1/jobs/{job['id']}").status_code == 404


def test_job_of_a_deleted_model_fails_in_words(client: httpx.Client) -> None:
    job = convert(client, model_id=upload_model(client, perceptron(21)))
    assert job["state"] == "succeeded"
    assert client.post(f"/v1/jobs/{job['id']}:retry").json()["code"] == "conflict"


def test_batch_summary(client: httpx.Client) -> None:
    good = [upload_model(client, perceptron(seed)) for seed in range(30, 36)]
    bad = upload_model(client, b"no model at all")
    answer = client.post("/v1/batches", json={"model_ids": [*good, bad], "label": "seven"})
    assert answer.status_code == 202
    batch = wait_for(client, answer.json()["id"], seconds=120)
    assert batch["state"] == "succeeded"
    assert batch["result"]["counts"] == {"succeeded": 6, "failed": 1}
    assert batch["result"]["failures"] == {"invalid-model": 1}
    page = client.get("/v1/jobs", params={"parent_id": batch["id"], "page_size": 100}).json()
    assert {job["model_id"] for job in page["items"]} == {*good, bad}
    listed = client.get("/v1/jobs", params={"label": "seven"}).json()["items"]
    assert [job["id"] for job in listed] == [batch["id"]]
    missing = client.post("/v1/batches", json={"model_ids": ["0" * 64]})
    assert missing.status_code == 404


def test_batch_can_be_cancelled(client: httpx.Client) -> None:
    ids = [upload_model(client, perceptron(seed)) for seed in range(40, 52)]
    batch = client.post("/v1/batches", json={"model_ids": ids}).json()
    assert client.post(f"/v1/jobs/{batch['id']}:cancel").status_code == 200
    batch = wait_for(client, batch["id"])
    assert batch["state"] == "cancelled"
    assert sum(batch["result"]["counts"].values()) == 12


def test_full_queue_and_quota(launch: Launch) -> None:
    service = launch(workers="0", max_queued="3", max_queued_per_key="2")
    with httpx.Client(base_url=service.url, timeout=30) as client:
        body = {"model_id": upload_model(client, MODEL.read_bytes())}
        for _ in range(2):
            assert client.post("/v1/conversions", json=body).status_code == 202
        full = client.post("/v1/conversions", json=body)
        assert (full.status_code, full.json()["code"]) == (429, "quota-exceeded")
        assert int(full.headers["retry-after"]) > 0
        many = client.post("/v1/batches", json={"model_ids": [body["model_id"]]})
        assert (many.status_code, many.json()["code"]) == (503, "overloaded")
        assert client.get("/readyz").status_code == 503  # nobody works


def test_restart_resumes_jobs(launch: Launch) -> None:
    service = launch(workers="1")
    with httpx.Client(base_url=service.url, timeout=30) as client:
        model_id = upload_model(client, MODEL.read_bytes())
        jobs = [
            client.post("/v1/conversions", json={"model_id": model_id}).json() for _ in range(4)
        ]
        service.stop()
        service.start()
        done = [wait_for(client, job["id"]) for job in jobs]
        assert {job["state"] for job in done} == {"succeeded"}
        assert len({job["snn_id"] for job in done}) == 1


def test_rate_limit(launch: Launch) -> None:
    service = launch(workers="0", rate_per_minute="30")
    with httpx.Client(base_url=service.url) as client:
        answers = [client.get("/v1/jobs") for _ in range(40)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert limited[0].json()["code"] == "rate-limited"
    assert int(limited[0].headers["retry-after"]) >= 1

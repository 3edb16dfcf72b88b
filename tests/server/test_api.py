from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
from tests.server.conftest import (
    CALIBRATION,
    MODEL,
    TEST_DATA,
    convert,
    perceptron,
    upload_data,
    upload_model,
    wait_for,
)

pytestmark = pytest.mark.xdist_group("service")


@pytest.fixture(scope="module")
def converted(service: Any) -> dict[str, Any]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        model_id = upload_model(client, MODEL.read_bytes(), "digits_cnn.onnx")
        job = convert(
            client,
            model_id=model_id,
            calibration_id=upload_data(client, CALIBRATION),
            evaluation_id=upload_data(client, TEST_DATA),
        )
        assert job["state"] == "succeeded", job
        return job


def test_upload_is_named_by_its_digest(client: httpx.Client) -> None:
    content = perceptron(1)
    answer = client.post("/v1/models", files={"file": ("../../e<b>vil.onnx", content)})
    assert answer.status_code == 201
    model = answer.json()
    assert model["id"] == hashlib.sha256(content).hexdigest()
    assert model["name"] == "e<b>vil.onnx"
    assert answer.headers["location"] == f"/v1/models/{model['id']}"
    again = client.post("/v1/models", content=content)
    assert (again.status_code, again.json()["id"]) == (201, model["id"])
    back = client.get(f"/v1/models/{model['id']}/content")
    assert back.content == content
    assert back.headers["content-disposition"] == 'attachment; filename="e_b_vil.onnx"'
    assert client.delete(f"/v1/models/{model['id']}").status_code == 204
    assert client.get(f"/v1/models/{model['id']}").json()["code"] == "not-found"


def test_check_tells_every_node(client: httpx.Client) -> None:
    model_id = upload_model(client, MODEL.read_bytes())
    check = client.post(f"/v1/models/{model_id}:check", json={"preset": "rate"}).json()
    assert check["convertible"]
    assert check["inputs"] == [{"name": "image", "type": "float", "shape": ["N", 1, 8, 8]}]
    assert {node["fate"] for node in check["nodes"]} >= {"neuron", "linear"}
    assert client.get(f"/v1/models/{model_id}").json()["check"]["convertible"]
    graph = client.get(f"/v1/models/{model_id}/graph").json()
    assert len(graph["nodes"]) >= 8
    assert all(0 <= a < len(graph["nodes"]) for edge in graph["edges"] for a in edge)


def test_conversion_gives_a_network_that_onnxruntime_runs(
    client: httpx.Client, converted: dict[str, Any]
) -> None:
    content = client.get(converted["links"]["content"]).content
    assert hashlib.sha256(content).hexdigest() == converted["snn_id"]
    data = np.load(TEST_DATA)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    outputs = session.run(["logits"], {"image": data["image"]})
    assert (np.asarray(outputs[0]).argmax(1) == data["labels"]).mean() > 0.97


def test_curve_and_report(client: httpx.Client, converted: dict[str, Any]) -> None:
    snn = client.get(converted["links"]["snn"]).json()
    assert snn["summary"]["evaluation"]["measured_on"] == "evaluation data"
    curve = client.get(snn["links"]["curve"]).json()
    assert curve["curve"][-1]["agreement"] > 0.97
    assert curve["ann"]["accuracy"] > 0.97
    page = client.get(snn["links"]["report"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "sandbox" in page.headers["content-security-policy"]
    numbers = client.get(snn["links"]["report"], params={"format": "json"}).json()
    assert numbers["evaluation"]["samples"] == 200


def test_exports(client: httpx.Client, converted: dict[str, Any]) -> None:
    links = client.get(converted["links"]["snn"]).json()["links"]
    step = client.get(links["step"])
    assert step.status_code == 200, step.text
    assert step.headers["content-disposition"] == 'attachment; filename="digits_cnn.step.onnx"'
    session = onnxruntime.InferenceSession(step.content, providers=["CPUExecutionProvider"])
    assert len(session.get_inputs()) > 1  # the states
    again = client.get(links["step"], headers={"If-None-Match": step.headers["etag"]})
    assert again.status_code == 304
    refused = client.get(links["nir"])
    assert refused.status_code == 422
    assert refused.json()["findings"]
    allowed = client.get(links["npz"] + "/report", params={"allow_losses": True}).json()
    assert allowed["format"] == "npz"
    assert [layer[0] for layer in allowed["layers"]]
    unknown = client.get(links["nir"].replace("/nir", "/abc"))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")
    assert "step" in unknown.json()["remedy"]
    target = client.get(links["nir"], params={"target": "nobody"})
    assert target.status_code == 422
    formats = {row["name"]: row for row in client.get("/v1/formats").json()}
    assert "sinabs" in formats["nir"]["targets"]


def test_ranges_and_etags(client: httpx.Client, converted: dict[str, Any]) -> None:
    path = converted["links"]["content"]
    whole = client.get(path)
    etag = whole.headers["etag"]
    assert etag == f'"{converted["snn_id"]}"'
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert client.get(path, headers={"If-None-Match": f'"x", W/{etag}'}).status_code == 304
    part = client.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert client.get(path, headers={"Range": "bytes=-5"}).content == whole.content[-5:]
    assert client.get(path, headers={"Range": "bytes=5-"}).content == whole.content[5:]
    past = client.get(path, headers={"Range": f"bytes={len(whole.content)}-"})
    assert (past.status_code, past.json()["code"]) == (416, "range-not-satisfiable")
    changed = {"Range": "bytes=0-1", "If-Range": '"other"'}
    assert client.get(path, headers=changed).status_code == 200


def events(client: httpx.Client, job_id: str, last: str = "") -> list[dict[str, str]]:
    headers = {"Last-Event-ID": last} if last else {}
    text = client.get(f"/v1/jobs/{job_id}/events", headers=headers).text
    blocks = [block for block in text.split("\n\n") if "data:" in block]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


def test_events_can_be_resumed(client: httpx.Client, converted: dict[str, Any]) -> None:
    told = events(client, converted["id"])
    assert {event["event"] for event in told} >= {"state", "progress", "result", "log"}
    assert json.loads(told[-1]["data"])["state"] == "succeeded"
    shares = [json.loads(e["data"])["progress"] for e in told if e["event"] == "progress"]
    assert shares == sorted(shares)
    middle = len(told) // 2
    assert events(client, converted["id"], told[middle]["id"]) == told[middle + 1 :]
    log = client.get(f"/v1/jobs/{converted['id']}/logs").text
    assert "rlimits" in log
    answer = client.get(f"/v1/jobs/{converted['id']}/events", headers={"Last-Event-ID": "x"})
    assert answer.json()["code"] == "bad-request"


def test_evaluation_and_simulation(client: httpx.Client, converted: dict[str, Any]) -> None:
    dataset_id = upload_data(client, TEST_DATA)
    asked = {"snn_id": converted["snn_id"], "dataset_id": dataset_id, "samples": 50}
    answer = client.post("/v1/evaluations", json={**asked, "timesteps": 8})
    job = wait_for(client, answer.json()["id"])
    assert job["result"]["evaluation"]["samples"] == 50, job
    assert job["result"]["evaluation"]["timesteps"] == 8
    answer = client.post("/v1/simulations", json={**asked, "record": "spikes"})
    job = wait_for(client, answer.json()["id"])
    assert job["state"] == "succeeded", job
    made = client.get(job["links"]["simulation"])
    path = converted["id"]
    assert made.status_code == 200, path
    import io

    arrays = np.load(io.BytesIO(made.content))
    assert arrays["logits"].shape == (50, 10)
    assert "snn.spikes.0" in arrays


def test_early_exit_and_points(client: httpx.Client, converted: dict[str, Any]) -> None:
    dataset_id = upload_data(client, TEST_DATA)
    asked: dict[str, Any] = {"snn_id": converted["snn_id"], "dataset_id": dataset_id, "samples": 60}
    missing = client.post("/v1/evaluations", json={**asked, "early_exit": {}})
    assert (missing.status_code, missing.json()["code"]) == (422, "invalid-request")
    asked |= {"timesteps": [2, 5], "early_exit": {"rule": "margin", "threshold": 1.0}}
    job = wait_for(client, client.post("/v1/evaluations", json=asked).json()["id"], seconds=300)
    assert job["state"] == "succeeded", job
    told = client.get(job["links"]["snn"] + "/report", params={"format": "json"}).json()
    evaluation = told["evaluation"]
    assert [point["timesteps"] for point in evaluation["curve"]] == [2, 5]
    assert sum(evaluation["early_exit"]["exits"]) == 60
    asked = {name: asked[name] for name in ("snn_id", "dataset_id", "early_exit")}
    asked |= {"samples": 8, "timesteps": 6}
    job = wait_for(client, client.post("/v1/simulations", json=asked).json()["id"], seconds=300)
    assert job["state"] == "succeeded", job


def test_knobs_replace_those_of_a_preset(client: httpx.Client) -> None:
    model_id = upload_model(client, perceptron(60))
    knobs = {"digits": 2, "levels": 15, "input_coding": "direct"}
    job = convert(client, model_id=model_id, knobs=knobs)
    assert job["state"] == "succeeded", job
    assert job["result"]["summary"]["digits"] == 2
    assert job["result"]["summary"]["input_coding"].startswith("direct")
    # levels and stimulus of unit spikes follow T, as on the command line
    job = convert(client, model_id=model_id, preset="rate", timesteps=8)
    assert job["result"]["summary"]["timesteps"] == 8
    for wrong in ({"nonsense": 1}, {"digits": 99}, {"name": "mine"}):
        job = convert(client, model_id=model_id, knobs=wrong)
        assert (job["state"], job["error"]["code"]) == ("failed", "bad-data")


def test_every_preset_converts_or_says_why(client: httpx.Client, tmp_path: Path) -> None:
    model_id = upload_model(client, perceptron(61))
    samples = tmp_path / "samples.npz"
    np.savez(samples, x=np.random.default_rng(0).normal(size=(70, 6)).astype(np.float32))
    data = {"model_id": model_id, "calibration_id": upload_data(client, samples)}
    for preset in client.get("/v1/presets").json():
        job = convert(client, preset=preset["name"], evaluate=False, **data)
        assert job["state"] == "succeeded" or job["error"]["code"] != "internal-error", job


def test_bad_options_name_the_field(client: httpx.Client) -> None:
    model_id = upload_model(client, MODEL.read_bytes())
    answer = client.post("/v1/conversions", json={"model_id": model_id, "timestep": 3})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert "timestep" in answer.json()["findings"][0]["message"]
    answer = client.post("/v1/conversions", json={"model_id": model_id, "max_loss": 0.1})
    assert "calibration" in answer.json()["detail"]
    answer = client.post("/v1/conversions", json={"model_id": "0" * 64})
    assert answer.status_code == 404
    answer = client.post("/v1/conversions", content=b"{")
    assert answer.status_code in (400, 422)
    job = convert(client, model_id=model_id, preset="nonsense")
    assert (job["state"], job["error"]["code"]) == ("failed", "bad-data")
    assert "choose one of" in job["error"]["remedy"]


def test_calibration_that_does_not_fit_fails_with_reasons(client: httpx.Client) -> None:
    model_id = upload_model(client, perceptron(2))
    job = convert(client, model_id=model_id, calibration_id=upload_data(client, CALIBRATION))
    assert (job["state"], job["error"]["code"]) == ("failed", "bad-data")
    assert job["error"]["status"] == 422


def test_quick_path(client: httpx.Client) -> None:
    files = {
        "model": ("digits.onnx", MODEL.read_bytes()),
        "calibration": ("c.npz", CALIBRATION.read_bytes()),
    }
    answer = client.post("/v1/convert", files=files, data={"preset": "fast", "timesteps": "2"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="digits.snn.onnx"'
    assert answer.content[:1] == b"\x08"
    assert client.get(answer.headers["content-location"]).content == answer.content
    bad = client.post("/v1/convert", files=files, data={"preset": "fast", "timesteps": "0"})
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid-request")
    bad = client.post("/v1/convert", files={"model": ("x.onnx", b"nonsense")})
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid-model")


def test_upload_in_parts(client: httpx.Client) -> None:
    content = perceptron(3, hidden=5000)
    upload = client.post("/v1/uploads", json={"kind": "model", "name": "big.onnx"}).json()
    base = f"/v1/uploads/{upload['id']}"
    half = len(content) // 2
    assert client.put(f"{base}/parts/2", content=content[half:]).status_code == 200
    missing = client.post(f"{base}:complete", json={})
    assert missing.json()["code"] == "conflict"
    client.put(f"{base}/parts/1", content=b"wrong")
    wrong = client.post(f"{base}:complete", json={"sha256": hashlib.sha256(content).hexdigest()})
    assert wrong.json()["code"] == "length-mismatch"
    client.put(f"{base}/parts/1", content=content[:half])
    assert [part["number"] for part in client.get(base).json()["parts"]] == [1, 2]
    done = client.post(f"{base}:complete", json={})
    assert done.json()["id"] == hashlib.sha256(content).hexdigest()
    assert client.get(base).status_code == 404
    assert client.get(f"{done.headers['location']}/content").content == content


def test_pages(client: httpx.Client) -> None:
    ids = [upload_model(client, perceptron(seed)) for seed in range(10, 15)]
    seen: list[str] = []
    token = ""
    while True:
        page = client.get("/v1/models", params={"page_size": 2, "page_token": token}).json()
        seen += [model["id"] for model in page["items"]]
        token = page["next_page_token"]
        if not token:
            break
    assert len(seen) == len(set(seen))
    assert [x for x in seen if x in ids] == ids[::-1]
    assert client.get("/v1/models", params={"page_token": "?"}).json()["code"] == "bad-request"


def test_catalogue(client: httpx.Client) -> None:
    presets = {preset["name"] for preset in client.get("/v1/presets").json()}
    assert {"graded", "fast", "ternary", "rate"} <= presets
    fates = {row["fate"] for row in client.get("/v1/operators").json()}
    assert {"linear", "neuron", "spiking-pool"} <= fates


def test_problems_have_one_shape(client: httpx.Client) -> None:
    for answer, status in (
        (client.get("/v1/nothing"), 404),
        (client.delete("/v1/models"), 405),
        (client.get("/v1/models/xyz"), 404),
        (client.get(f"/v1/jobs/{'0' * 32}"), 404),
        (client.get("/", headers={"Host": "evil.example"}), 400),
        (client.post("/v1/models", content=b"x", headers={"Origin": "http://evil.example"}), 403),
        (client.post("/v1/conversions", content=b" " * (2 * 2**20)), 413),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code", "remedy"} <= set(answer.json())
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_health_and_metrics(client: httpx.Client) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    ready = client.get("/readyz").json()
    assert ready["parts"] == {"database": "ok", "store": "ok", "workers": "ok"}
    upload_model(client, perceptron(4))
    text = client.get("/metrics").text
    assert 'onnx2snn_http_requests_total{operation="uploadModel",status="201"}' in text


def test_openapi_is_stable(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    operations = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(operations) == len(set(operations))
    assert {
        "uploadModel", "checkModel", "uploadDataset", "startUpload", "putUploadPart",
        "completeUpload", "createConversion", "createEvaluation", "createSimulation",
        "createBatch", "convertNow", "listJobs", "getJob", "streamJobEvents", "cancelJob",
        "retryJob", "downloadSnn", "getSnnReport", "getSnnCurve", "listOperators", "listPresets",
    } <= set(operations)  # fmt: skip
    assert "ProblemDocument" in document["components"]["schemas"]


def test_reads_stay_fast_enough_to_poll(client: httpx.Client) -> None:
    start = time.monotonic()
    for _ in range(50):
        assert client.get("/v1/jobs").status_code == 200
    assert (time.monotonic() - start) / 50 < 0.2

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.server.attacks import DATA, MODELS
from tests.server.conftest import Running, convert, upload_model

pytestmark = pytest.mark.xdist_group("service")


def codes(check: dict[str, object]) -> set[str]:
    findings = check["findings"]
    assert isinstance(findings, list)
    return {finding["code"] for finding in findings if finding["severity"] == "error"}


@pytest.mark.parametrize("name", MODELS)
def test_hostile_model_is_refused_by_name(name: str, client: httpx.Client) -> None:
    build, code = MODELS[name]
    model_id = upload_model(client, build(), "attack.onnx")
    answer = client.post(f"/v1/models/{model_id}:check", json={})
    if answer.status_code == 200:
        assert not answer.json()["convertible"]
        assert code in codes(answer.json())
    else:
        assert answer.json()["code"] == code
    if code == "time-limit":
        return  # a job of it takes as long as a job may: test_jobs cancels one
    job = convert(client, model_id=model_id)
    assert job["state"] == "failed"
    error = job["error"]
    assert code in {error["code"], *(finding["code"] for finding in error["findings"])}
    assert error["code"] != "internal-error"
    assert error["remedy"] or error["findings"]


@pytest.mark.parametrize("name", DATA)
def test_hostile_data_are_refused(name: str, client: httpx.Client) -> None:
    answer = client.post("/v1/datasets", content=DATA[name]())
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "bad-data"
    assert answer.headers["content-type"] == "application/problem+json"
    assert not Path("/tmp/onnx2snn-was-here").exists()


def test_empty_and_oversized_files(client: httpx.Client) -> None:
    assert client.post("/v1/models", content=b"").json()["code"] == "invalid-request"
    answer = client.post("/v1/models", content=b"\0" * (9 * 2**20))
    assert (answer.status_code, answer.json()["code"]) == (413, "upload-too-large")

    def chunks() -> object:
        for _ in range(20):
            yield b"\0" * 2**20

    try:  # without a length the refusal may meet a client that still sends
        answer = client.post("/v1/models", content=chunks())  # type: ignore[arg-type]
        assert answer.status_code == 413
    except httpx.WriteError:
        pass


def test_no_file_is_left_behind(service: Running) -> None:
    assert not list((service.folder / "incoming").iterdir())


def test_the_service_is_whole_after_all_that(service: Running, client: httpx.Client) -> None:
    assert client.get("/readyz").json()["status"] == "ok"
    status = Path(f"/proc/{service.pid}/status")
    if status.exists():
        resident = next(x for x in status.read_text().splitlines() if x.startswith("VmRSS"))
        assert int(resident.split()[1]) < 300 * 1024


def test_the_service_process_never_loads_what_parses_models(
    service: Running, client: httpx.Client
) -> None:
    maps = Path(f"/proc/{service.pid}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    loaded = maps.read_text()
    assert "uvloop" in loaded or "sqlite" in loaded.lower() or "pydantic" in loaded
    for library in ("onnxruntime", "onnx_cpp2py", "numpy"):
        assert library not in loaded

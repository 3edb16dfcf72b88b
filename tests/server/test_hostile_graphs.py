"""Whatever a model is, the service answers in problems with known codes, and does not grow."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from service_process import resident_bytes
from tests.server.conftest import ROOT, Running, convert
from tests.server.hostile_graphs import models

pytestmark = pytest.mark.xdist_group("service")
DOCS = [(ROOT / "docs" / name).read_text() for name in ("errors.md", "operations.md")]
STEADY = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True,
          "phases": (Phase.generate,)}  # fmt: skip


def is_known(code: str) -> bool:
    documented = any(f"`{code}`" in text or f"\n## {code}\n" in text for text in DOCS)
    return documented and code != "internal-error"


def attack(client: httpx.Client, service: Running, content: bytes) -> None:
    uploaded = client.post("/v1/models", content=content)
    assert uploaded.status_code == 201, uploaded.text
    model_id = uploaded.json()["id"]
    answer = client.post(f"/v1/models/{model_id}:check", json={})
    if answer.status_code == 200:
        findings = answer.json()["findings"]
        codes = {f["code"] for f in findings if f["severity"] == "error"}
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        codes = {answer.json()["code"]}
    assert all(is_known(code) for code in codes), codes
    job = convert(client, model_id=model_id)
    if job["state"] == "failed":
        assert is_known(job["error"]["code"]), job["error"]
        assert job["error"]["detail"]
    else:
        assert job["state"] == "succeeded"
    assert client.delete(f"/v1/models/{model_id}").status_code == 204
    assert resident_bytes(service.pid) < 300 * 2**20


@settings(max_examples=8, **STEADY)
@given(content=models())
def test_hostile_graphs(client_of: tuple[httpx.Client, Running], content: bytes) -> None:
    attack(*client_of, content)


@pytest.mark.slow
@settings(max_examples=300, **STEADY)
@given(content=models())
def test_many_hostile_graphs(client_of: tuple[httpx.Client, Running], content: bytes) -> None:
    attack(*client_of, content)


@pytest.fixture
def client_of(client: httpx.Client, service: Running) -> tuple[httpx.Client, Running]:
    return client, service

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
from tests.server.conftest import Launch, perceptron, upload_model

from onnx2snn.server.api_keys import create_key, revoke_key
from onnx2snn.server.context import open_context
from onnx2snn.server.settings import Settings


def test_keys_are_required_off_loopback_only() -> None:
    assert not Settings(host="127.0.0.1").keys_required
    assert not Settings(host="::1").keys_required
    assert Settings(host="0.0.0.0").keys_required
    assert Settings(host="example.org").keys_required
    assert Settings(host="127.0.0.1", keys="required").keys_required


def test_one_key_cannot_see_what_another_owns(launch: Launch) -> None:
    service = launch(keys="required", workers="0")
    context = open_context(Settings(data_dir=service.folder))
    ann, bob = (
        httpx.Client(
            base_url=service.url, headers={"Authorization": f"Bearer {create_key(context, name)}"}
        )
        for name in ("ann", "bob")
    )
    model_id = upload_model(ann, perceptron(1))
    assert ann.get(f"/v1/models/{model_id}").status_code == 200
    assert bob.get(f"/v1/models/{model_id}").status_code == 404
    assert bob.get("/v1/models").json()["items"] == []
    job = ann.post("/v1/conversions", json={"model_id": model_id}).json()
    for path in ("", "/events", "/logs"):
        assert bob.get(f"/v1/jobs/{job['id']}{path}").status_code == 404
    assert bob.post(f"/v1/jobs/{job['id']}:cancel").status_code == 404
    assert bob.post("/v1/conversions", json={"model_id": model_id}).status_code == 404
    nobody = httpx.get(f"{service.url}/v1/models")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthorized")
    assert nobody.headers["www-authenticate"] == "Bearer"
    wrong = httpx.get(f"{service.url}/v1/models", headers={"Authorization": "Bearer o2s_x"})
    assert wrong.status_code == 401
    assert httpx.get(f"{service.url}/healthz").status_code == 200
    assert revoke_key(context, "ann") == 1
    assert ann.get("/v1/models").status_code == 401
    context.engine.dispose()
    ann.close()
    bob.close()


def test_only_digests_of_keys_are_stored(tmp_path: Path) -> None:
    context = open_context(Settings(data_dir=tmp_path))
    key = create_key(context, "ann")
    context.engine.dispose()
    with closing(sqlite3.connect(tmp_path / "onnx2snn.db")) as database:
        dump = "\n".join(database.iterdump())
    assert key not in dump
    assert "ann" in dump

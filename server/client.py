"""A client of the service in plain Python: ``Client(url, key).convert("net.onnx")``."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from onnx2snn.server.problems import Problem, ProblemDocument

Json = dict[str, Any]


class Client:
    """Talks to one service.

    Args:
        url: of the service.
        key: API key, if the service asks for one.
        timeout: seconds to wait for one answer.
    """

    def __init__(self, url: str, key: str = "", *, timeout: float = 120) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = timeout

    def convert(
        self, model: str | Path, *, calibration: str | Path | None = None, **options: Any
    ) -> bytes:
        """Convert a model and return the content of its ``.snn.onnx`` file.

        Args:
            model: the ONNX file.
            calibration: samples, ``.npz`` or ``.npy``.
            **options: fields of ``POST /v1/conversions``.

        Raises:
            Problem: the service says why not.
        """
        options["model_id"] = self.upload_model(model)["id"]
        if calibration is not None:
            options["calibration_id"] = self.upload_dataset(calibration)["id"]
        job = self.wait(self.create_conversion(**{"evaluate": False, **options})["id"])
        return self.content(str(job["links"]["content"]))

    def upload_model(self, path: str | Path) -> Json:
        """Upload a model."""
        return self._upload("/v1/models", Path(path))

    def upload_dataset(self, path: str | Path) -> Json:
        """Upload samples."""
        return self._upload("/v1/datasets", Path(path))

    def check(self, model_id: str, *, preset: str = "graded", strict: bool = False) -> Json:
        """Return node by node what a conversion would make of a model."""
        return self._post(f"/v1/models/{model_id}:check", {"preset": preset, "strict": strict})

    def create_conversion(self, **fields: Any) -> Json:
        """Ask for a conversion and return its job."""
        return self._post("/v1/conversions", fields)

    def job(self, job_id: str) -> Json:
        """Return a job."""
        return self.get(f"/v1/jobs/{job_id}")

    def wait(self, job_id: str, *, every: float = 0.5) -> Json:
        """Return a job once it has succeeded.

        Raises:
            Problem: it failed or was cancelled.
        """
        while not (job := self.job(job_id))["done"]:
            time.sleep(every)
        if job["error"] is not None:
            raise Problem.from_document(job["error"])
        if job["state"] != "succeeded":
            raise Problem("conflict", f"the job was {job['state']}")
        return job

    def get(self, path: str) -> Json:
        """Return the JSON object at a path of the API."""
        return _object(self.content(path))

    def content(self, path: str) -> bytes:
        """Return what is at a path of the API, as it is."""
        return self._send(urllib.request.Request(self._url + path, headers=self._headers))

    def _upload(self, path: str, file: Path) -> Json:
        kind = {"Content-Type": "application/octet-stream"}
        return self._send_to(f"{path}?name={quote(file.name)}", file.read_bytes(), kind)

    def _post(self, path: str, body: Json) -> Json:
        return self._send_to(path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _send_to(self, path: str, body: bytes, headers: Mapping[str, str]) -> Json:
        all_headers = {**self._headers, **headers}
        return _object(self._send(urllib.request.Request(self._url + path, body, all_headers)))

    def _send(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                told = error.read()
            raise _problem(told, error.code) from None


def _object(content: bytes) -> Json:
    value: Json = json.loads(content)
    return value


def _problem(content: bytes, status: int) -> Problem:
    try:
        return Problem.from_document(ProblemDocument.model_validate_json(content).model_dump())
    except ValueError:
        return Problem("bad-request", f"the service answered {status}")

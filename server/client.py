"""A client of the service in plain Python: ``Client(url, key).convert("net.onnx")``.

It needs nothing that the service needs: the standard library and the classes of its answers.
"""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from onnx2snn.server.problems import Problem, ProblemDocument
from onnx2snn.server.schemas import CheckOut, CurveOut, DatasetOut, JobOut, ModelOut, SnnOut

A = TypeVar("A", bound=BaseModel)


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
        options["model_id"] = self.upload_model(model).id
        if calibration is not None:
            options["calibration_id"] = self.upload_dataset(calibration).id
        job = self.wait(self.create_conversion(**{"evaluate": False, **options}).id)
        return self.content(job.links["content"])

    def upload_model(self, path: str | Path) -> ModelOut:
        """Upload a model."""
        return self._upload("/v1/models", Path(path), ModelOut)

    def upload_dataset(self, path: str | Path) -> DatasetOut:
        """Upload samples."""
        return self._upload("/v1/datasets", Path(path), DatasetOut)

    def check(self, model_id: str, *, preset: str = "graded", strict: bool = False) -> CheckOut:
        """Return node by node what a conversion would make of a model."""
        body = {"preset": preset, "strict": strict}
        return self._post(f"/v1/models/{model_id}:check", body, CheckOut)

    def create_conversion(self, **fields: Any) -> JobOut:
        """Ask for a conversion and return its job."""
        return self._post("/v1/conversions", fields, JobOut)

    def job(self, job_id: str) -> JobOut:
        """Return a job."""
        return self.get(f"/v1/jobs/{job_id}", JobOut)

    def wait(self, job_id: str, *, every: float = 0.5) -> JobOut:
        """Return a job once it has succeeded.

        Raises:
            Problem: it failed or was cancelled.
        """
        while not (job := self.job(job_id)).done:
            time.sleep(every)
        if job.error is not None:
            raise Problem.from_document(job.error.model_dump())
        if job.state != "succeeded":
            raise Problem("conflict", f"the job was {job.state}")
        return job

    def snn(self, snn_id: str) -> SnnOut:
        """Return a spiking network's summary and links."""
        return self.get(f"/v1/snns/{snn_id}", SnnOut)

    def curve(self, snn_id: str) -> CurveOut:
        """Return what was measured of a spiking network, against timesteps."""
        return self.get(f"/v1/snns/{snn_id}/curve", CurveOut)

    def get(self, path: str, kind: type[A]) -> A:
        """Return the object at a path of the API."""
        return kind.model_validate_json(self.content(path))

    def content(self, path: str) -> bytes:
        """Return what is at a path of the API, as it is."""
        with self._send(path) as answer:
            content: bytes = answer.read()
        return content

    def download(self, path: str, target: str | Path) -> None:
        """Write what is at a path of the API to a file, piece by piece."""
        with self._send(path) as answer, Path(target).open("wb") as file:
            shutil.copyfileobj(answer, file)

    def _upload(self, path: str, file: Path, kind: type[A]) -> A:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(file.stat().st_size),
        }
        with (
            file.open("rb") as body,
            self._send(f"{path}?name={quote(file.name)}", body, headers) as answer,
        ):
            return kind.model_validate_json(answer.read())

    def _post(self, path: str, fields: dict[str, Any], kind: type[A]) -> A:
        body = json.dumps(fields).encode()
        with self._send(path, body, {"Content-Type": "application/json"}) as answer:
            return kind.model_validate_json(answer.read())

    def _send(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> HTTPResponse:
        request = urllib.request.Request(
            self._url + path, body, {**self._headers, **(headers or {})}
        )
        try:
            answer: HTTPResponse = urllib.request.urlopen(request, timeout=self._timeout)
            return answer
        except urllib.error.HTTPError as error:
            with error:
                told = error.read()
            raise _problem(told, error.code) from None


def _problem(content: bytes, status: int) -> Problem:
    try:
        return Problem.from_document(ProblemDocument.model_validate_json(content).model_dump())
    except ValueError:
        return Problem("bad-request", f"the service answered {status}")

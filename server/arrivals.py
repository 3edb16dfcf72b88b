"""Take files in: as they come or from a form, into the store, then into a table."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import anyio.to_thread
from fastapi import Request
from starlette.datastructures import UploadFile

from onnx2snn.server.blobs import announce
from onnx2snn.server.database.tables import Dataset, Model, now
from onnx2snn.server.names import display_name
from onnx2snn.server.problems import Problem
from onnx2snn.server.service import Service
from onnx2snn.server.store import CHUNK, Received
from onnx2snn.server.submit import check_stored_bytes

_FORM = "multipart/form-data"
_FORMATS = ((b"PK\x03\x04", "npz"), (b"\x93NUMPY", "npy"))


async def receive_file(service: Service, request: Request, name: str) -> tuple[Received, str]:
    """Receive the file of a request, whatever its body is, and its name.

    Raises:
        Problem: there is no file, or it is too large.
    """
    if not request.headers.get("content-type", "").lower().startswith(_FORM):
        received = await service.context.store.receive(request.stream())
        return received, name
    form = await request.form(max_files=1, max_fields=10)
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Problem(
                "invalid-request", "the form has no file", remedy="send it in the field 'file'"
            )
        received = await service.context.store.receive(chunks_of(file))
        return received, name or file.filename or ""
    finally:
        await form.close()


async def chunks_of(file: UploadFile) -> AsyncIterator[bytes]:
    """Yield the content of a file of a form."""
    while chunk := await file.read(CHUNK):
        yield chunk


async def add_model(service: Service, owner: str, received: Received, name: str) -> Model:
    """Store a received model. Nothing looks into it here.

    Raises:
        Problem: it is empty, or a quota is used up.
    """

    def store() -> Model:
        _admit(service, owner, received)
        announce(service.context, (received.sha256, received.size, "application/octet-stream"))
        service.context.store.keep(received)
        with service.context.sessions() as session, session.begin():
            model = session.get(Model, (owner, received.sha256))
            if model is None:
                model = Model(owner=owner, id=received.sha256, size=received.size, name="")
                session.add(model)
            model.name = display_name(name, model.name or "model.onnx")
            model.used_at = now()
        return model

    try:
        return await anyio.to_thread.run_sync(store)
    finally:
        received.path.unlink(missing_ok=True)


async def add_dataset(service: Service, owner: str, received: Received, name: str) -> Dataset:
    """Store received samples after a sandboxed child has looked at them.

    Raises:
        Problem: they are no plain arrays of numbers, or a quota is used up.
    """
    kind = next((kind for magic, kind in _FORMATS if received.head.startswith(magic)), None)

    def store() -> Dataset:
        _admit(service, owner, received)
        if kind is None:
            raise Problem(
                "bad-data",
                "the file is neither .npz nor .npy",
                remedy="write the samples with numpy.savez or numpy.save",
            )
        arrays = _describe(service, received, kind)
        announce(service.context, (received.sha256, received.size, "application/octet-stream"))
        service.context.store.keep(received)
        with service.context.sessions() as session, session.begin():
            row = session.get(Dataset, (owner, received.sha256))
            if row is None:
                row = Dataset(
                    owner=owner, id=received.sha256, size=received.size,
                    name=display_name(name, f"data.{kind}"), format=kind, arrays=arrays,
                )  # fmt: skip
                session.add(row)
            row.used_at = now()
        return row

    try:
        return await service.in_sandbox(store)
    finally:
        received.path.unlink(missing_ok=True)


def _admit(service: Service, owner: str, received: Received) -> None:
    if not received.size:
        raise Problem("invalid-request", "the file is empty", remedy="send its bytes as the body")
    check_stored_bytes(service, owner, received.size)


def _describe(service: Service, received: Received, kind: str) -> list[dict[str, object]]:
    context = service.context
    with context.sandbox.workplace() as place:
        name = f"data.{kind}"
        shutil.copyfile(received.path, place.inputs / name)
        answer = context.sandbox.run(
            place, "describe_data", {"data": name}, seconds=context.settings.check_seconds
        )
    arrays: list[dict[str, object]] = answer["arrays"]
    return arrays

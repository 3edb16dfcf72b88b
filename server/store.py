"""Files of the service, named by the SHA-256 of their content, written once and never changed."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, NotFoundError
from obstore.store import LocalStore, S3Store

from onnx2snn.server.problems import Problem
from onnx2snn.server.settings import Settings

if TYPE_CHECKING:
    from obstore import GetOptions

CHUNK = 256 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Received:
    """A file that has arrived on this machine and is not in the store yet."""

    path: Path
    sha256: str
    size: int
    head: bytes


class FileStore:
    """Content-addressed files on disk or in S3.

    Args:
        settings: where they go.
    """

    def __init__(self, settings: Settings) -> None:
        self._incoming = settings.data_dir.resolve() / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._most = settings.max_upload_bytes
        self._store = _open(settings)

    def clean(self) -> None:
        """Remove what interrupted uploads have left on this machine."""
        for left in self._incoming.iterdir():
            left.unlink(missing_ok=True)

    async def receive(self, chunks: AsyncIterator[bytes]) -> Received:
        """Write what arrives to a temporary file, up to the largest size allowed.

        Raises:
            Problem: it is too large, or the disk is full.
        """
        path = self._incoming / uuid4().hex
        digest, size, head = hashlib.sha256(), 0, b""
        try:
            with path.open("wb") as stream:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self._most:
                        raise too_large(self._most)
                    digest.update(chunk)
                    head = head if len(head) >= 16 else (head + chunk)[:16]
                    stream.write(chunk)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _disk_problem(error) from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Received(path, digest.hexdigest(), size, head)

    def keep(self, received: Received) -> None:
        """Move a received file into the store; the same content is stored once."""
        try:
            self.put(received.sha256, received.path)
        finally:
            received.path.unlink(missing_ok=True)

    def put(self, sha256: str, path: Path) -> None:
        """Store a file under its digest unless it is there.

        Raises:
            Problem: the disk is full, or the store does not answer.
        """
        try:
            obstore.put(self._store, _key(sha256), path, mode="create")
        except AlreadyExistsError:
            return
        except (OSError, obstore.exceptions.BaseError) as error:
            raise _disk_problem(error) from error

    def digest(self, path: Path) -> tuple[str, int]:
        """Return SHA-256 and size of a file on this machine."""
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest(), path.stat().st_size

    def fetch(self, sha256: str, target: Path) -> None:
        """Copy a stored file to a path and check that it is what its name says.

        Raises:
            Problem: it is gone, or damaged.
        """
        digest = hashlib.sha256()
        try:
            with target.open("wb") as stream:
                for chunk in self.read(sha256):
                    digest.update(chunk)
                    stream.write(chunk)
        except OSError as error:
            raise _disk_problem(error) from error
        if digest.hexdigest() != sha256:
            raise Problem("internal-error", "a stored file is damaged", remedy="upload it again")

    def read(self, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield a stored file, or the bytes from ``start`` up to ``end``.

        Raises:
            Problem: it is gone.
        """
        options: GetOptions | None = None if end is None else {"range": (start, end)}
        try:
            found = obstore.get(self._store, _key(sha256), options=options)
        except (NotFoundError, FileNotFoundError) as error:
            raise Problem("not-found", "the file is no longer stored") from error
        for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    def delete(self, sha256: str) -> None:
        """Remove a stored file if it is there."""
        try:
            obstore.delete(self._store, _key(sha256))
        except (NotFoundError, FileNotFoundError):
            return

    def probe(self) -> None:
        """Write and remove a small file.

        Raises:
            Problem: the store cannot be written.
        """
        name = f"probe/{uuid4().hex}"
        try:
            obstore.put(self._store, name, b"probe")
            obstore.delete(self._store, name)
        except (OSError, obstore.exceptions.BaseError) as error:
            raise _disk_problem(error) from error

    def append_to(self, stream: IO[bytes], sha256: str) -> int:
        """Write a stored file to a stream; return its size."""
        size = 0
        for chunk in self.read(sha256):
            size += stream.write(chunk)
        return size

    def temporary(self) -> Path:
        """Return the path of a new temporary file on this machine."""
        return self._incoming / uuid4().hex


def too_large(most: int) -> Problem:
    """Return the answer to a body that is too large."""
    return Problem(
        "upload-too-large",
        f"the limit is {most} bytes",
        remedy="upload a smaller file, or ask the operator for a higher limit",
        headers={"Connection": "close"},
    )


def _open(settings: Settings) -> LocalStore | S3Store:
    url = settings.store_url
    if url.startswith("file://"):
        return LocalStore(url.removeprefix("file://"), mkdir=True)
    if not url.startswith("s3://"):
        raise ValueError(f"ONNX2SNN_STORE is neither s3:// nor file://: {url}")
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    config: dict[str, str] = {"region": settings.s3_region}
    if settings.s3_endpoint:
        config["endpoint"] = settings.s3_endpoint
    if settings.s3_access_key.get_secret_value():
        config["access_key_id"] = settings.s3_access_key.get_secret_value()
        config["secret_access_key"] = settings.s3_secret_key.get_secret_value()
    plain = settings.s3_endpoint.startswith("http://")
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,  # type: ignore[arg-type]
        client_options={"allow_http": plain},
    )


def _key(sha256: str) -> str:
    return f"sha256/{sha256[:2]}/{sha256}"


def _disk_problem(error: Exception) -> Problem:
    text = str(error)
    full = isinstance(error, OSError) and error.errno in _FULL
    if full or "No space left" in text or "os error 28" in text or "File too large" in text:
        return Problem(
            "storage-full",
            "the disk of the service is full",
            remedy="try again later, or delete what you no longer need",
            retry_after=60,
        )
    return Problem("not-ready", "the file store does not answer", retry_after=10)

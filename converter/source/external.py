"""Weights stored beside the model file, read without leaving its directory.

A location is data from a stranger. Accepted is only a relative path without '..' to a regular
file with one hard link, inside the directory of the model, with no symbolic link on the way; the
file is opened without following links and checked once it is open. Nothing is read from
a model that came as bytes: there is no directory it could mean.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx

from onnx2snn.ir.findings import Finding

_KNOWN_KEYS = frozenset({"location", "offset", "length", "checksum", "basepath"})


@dataclass(frozen=True)
class _Piece:
    location: str
    offset: int
    length: int | None


def load_external_data(
    tensors: Iterable[onnx.TensorProto], directory: Path | None, max_bytes: int
) -> tuple[str, list[Finding]]:
    """Fill the tensors in from their files.

    Returns:
        A digest over the data read, in order; empty if there was none. And what is wrong.
    """
    digest = hashlib.sha256()
    findings = []
    total = 0
    for tensor in tensors:
        if tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.external_data:
            continue
        if directory is None:
            findings.append(
                _finding(
                    tensor,
                    "its data is in another file, which was not given",
                    "pass the path of the model, or save it as one file",
                )
            )
            continue
        try:
            data = _read(_piece(tensor), directory, max_bytes - total)
        except (ValueError, OSError) as error:
            findings.append(
                _finding(
                    tensor,
                    _reason(error),
                    "put the external data file beside "
                    "the model file, or save the model as one file",
                )
            )
            continue
        total += len(data)
        digest.update(data)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = data
    return (digest.hexdigest() if total else ""), findings


def _piece(tensor: onnx.TensorProto) -> _Piece:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    unknown = set(entries) - _KNOWN_KEYS
    if unknown:
        raise ValueError(f"its external data has unknown keys {sorted(unknown)}")
    offset, length = entries.get("offset", "0"), entries.get("length")
    if not offset.isdecimal() or (length is not None and not length.isdecimal()):
        raise ValueError("offset and length of its external data must be whole numbers")
    return _Piece(entries.get("location", ""), int(offset), None if length is None else int(length))


def _read(piece: _Piece, directory: Path, most: int) -> bytes:
    _check_location(piece.location, directory)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(directory / piece.location, flags | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise ValueError(f"its external data '{piece.location}' is no regular file of its own")
        length = status.st_size - piece.offset if piece.length is None else piece.length
        if length < 0 or piece.offset + length > status.st_size:
            raise ValueError(f"its external data '{piece.location}' is shorter than it says")
        if length > most:
            raise ValueError("the external data is larger than the size limit")
        file.seek(piece.offset)
        return file.read(length)


def _check_location(location: str, directory: Path) -> None:
    path = PurePosixPath(location)
    if (
        not location
        or path.is_absolute()
        or ".." in path.parts
        or "\\" in location
        or "\0" in location
        or Path(location).is_absolute()
    ):
        raise ValueError(f"its external data '{location}' lies outside the model's directory")
    step = directory
    for part in path.parts:
        step = step / part
        if step.is_symlink():
            raise ValueError(f"its external data '{location}' is reached through a symbolic link")
    if not step.exists():
        raise ValueError(f"its external data file '{location}' does not exist")


def _reason(error: ValueError | OSError) -> str:
    if isinstance(error, OSError):
        return f"its external data cannot be read: {error.strerror or error}"
    return str(error)


def _finding(tensor: onnx.TensorProto, message: str, remedy: str) -> Finding:
    return Finding(
        code="external-data",
        message=f"constant '{tensor.name}': {message}",
        severity="error",
        remedy=remedy,
    )

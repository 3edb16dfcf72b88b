"""Numpy files. Those of strangers are read without pickle and without taking a bomb.

The header of every array is read first, so type and size are known before memory is taken.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from onnx2snn.ir.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 8 * 2**30
"""Memory that the arrays of one file may take."""

_MOST_MEMBERS = 1000
_MOST_NAMED = 10
_REMEDY_ARRAY = "write plain numbers with np.save or np.savez, without objects or records"

Arrays = dict[str, NDArray[np.generic]]


def read_npy(path: Path, max_bytes: int = MAX_BYTES) -> NDArray[np.generic]:
    """Read the one array of a ``.npy`` file.

    Raises:
        DataError: it is none, holds objects, or is larger than ``max_bytes``.
    """
    with _readable(path), path.open("rb") as stream:
        size = _announced_bytes(stream, path.name)
        _refuse_if_large(size, max_bytes, path.name)
        if size > path.stat().st_size:
            raise DataError(
                f"{path.name} is truncated: its header promises {size} bytes of numbers",
                remedy="write the file again",
            )
        stream.seek(0)
        return _read_array(stream)


def read_npz(
    path: Path, choose: Callable[[list[str]], Collection[str]], max_bytes: int = MAX_BYTES
) -> Arrays:
    """Read some arrays of a ``.npz`` file.

    Args:
        path: the file.
        choose: receives the names of all arrays and returns those to read.
        max_bytes: limit on the memory the chosen arrays take together.

    Raises:
        DataError: it is no such file, holds objects, or is larger than ``max_bytes``.
    """
    with _readable(path), zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        names = [info.filename.removesuffix(".npy") for info in members]
        _refuse_odd_archive(path, names)
        chosen = choose(names)
        kept = {n: m for n, m in zip(names, members, strict=True) if n in chosen}
        total = 0
        for name, member in kept.items():
            with archive.open(member) as stream:
                size = _announced_bytes(stream, f"array '{name}'")
            total += size
            _refuse_if_large(total, max_bytes, path.name)
            if size > member.file_size:
                raise DataError(
                    f"array '{name}' of {path.name} is shorter than its header says",
                    remedy="write the file again",
                )
        arrays = {}
        for name, member in kept.items():
            with archive.open(member) as stream:
                arrays[name] = _read_array(stream)
        return arrays


def _refuse_odd_archive(path: Path, names: list[str]) -> None:
    if not names:
        raise DataError(f"{path.name} holds no arrays", remedy=_REMEDY_ARRAY)
    if len(names) > _MOST_MEMBERS:
        raise DataError(
            f"{path.name} holds {len(names)} arrays; the limit is {_MOST_MEMBERS}",
            remedy="keep only the arrays named as the model's inputs, and labels",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{path.name} holds several arrays of one name: {', '.join(twice[:_MOST_NAMED])}",
            remedy="write the file again with np.savez",
        )


def _announced_bytes(stream: IO[bytes], what: str) -> int:
    """Read an array's header and return the size of its numbers."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject or dtype.fields is not None:
        kind = "Python objects" if dtype.hasobject else "records"
        raise DataError(f"{what} holds {kind}, not numbers", remedy=_REMEDY_ARRAY)
    return prod(shape) * dtype.itemsize


def _read_array(stream: IO[bytes]) -> NDArray[np.generic]:
    array: NDArray[np.generic] = npy.read_array(stream, allow_pickle=False)
    return array


def _refuse_if_large(size: int, max_bytes: int, what: str) -> None:
    if size > max_bytes:
        raise DataError(
            f"{what} unpacks to {size / 2**30:.1f} GiB; the limit is {max_bytes / 2**30:.1f} GiB",
            remedy="hand in fewer samples",
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what numpy, zipfile and the disk have to complain of into a DataError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot read {path}: {reason}", remedy="check the path") from error
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(
            f"{path.name} is damaged or no numpy file: {error}", remedy=_REMEDY_ARRAY
        ) from error
    except RuntimeError as error:  # zipfile's word for a password
        raise DataError(f"cannot open {path.name}: {error}", remedy=_REMEDY_ARRAY) from error


def write_npz(path: Path, arrays: Arrays) -> None:
    """Write a ``.npz`` file of any array names, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as tmp:
        temporary = Path(tmp.name)
        try:
            with zipfile.ZipFile(tmp, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, array in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        npy.write_array(member, np.asanyarray(array), allow_pickle=False)
            tmp.close()
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

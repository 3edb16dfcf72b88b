"""Large weights in a temporary file while a model is worked on, so that no copy of it carries them.

A model of hundreds of megabytes is copied and serialised for every check that runs it. With its
large weights in a file, each copy holds a reference: an ONNX ``TensorProto`` with external data.
onnxruntime and numpy map the file, so one copy in the page cache serves all of them. ``whole``
brings the weights back; no stored tensor leaves the process that stored it.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import weakref
from collections.abc import Sequence
from typing import IO

import numpy as np
import onnx
from google.protobuf.message import Message
from numpy.typing import NDArray
from onnx import numpy_helper

PREFIX = "onnx2snn-weights-"
LEAST_TOTAL = 256 * 2**20
"""Bytes of large weights from which on they are stored: below, copies cost less than files."""
LEAST_TENSOR = 2**20
"""Bytes of a large weight."""
AVAILABLE = os.name != "nt"
"""Whether weights can be stored: Windows does not let a temporary file be opened twice."""
_ALIGNMENT = 65536  # a multiple of the page size, and of what Windows maps by


class WeightFile:
    """A temporary file of weights; gone with this object.

    Where it cannot be written (a full or read-only disk), weights stay in memory.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._path = ""

    def take(self, model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[onnx.TensorProto]]:
        """Move the large float32 initializers of a model into the file.

        Args:
            model: is left as it is.

        Returns:
            The model with each of them as an input, and the stored tensors; the model itself and
            none where there is too little to store.
        """
        large = large_weights(model)
        if not (AVAILABLE and large):
            return model, []
        try:
            stored = [self._store(t.name, tensor_values(t)) for t in large]
        except OSError:
            return model, []
        names = {tensor.name for tensor in stored}
        light = onnx.ModelProto()
        _copy(model, light, but="graph")
        _copy(model.graph, light.graph, but="initializer")
        light.graph.initializer.extend(t for t in model.graph.initializer if t.name not in names)
        light.graph.input.extend(
            onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in stored
        )
        return light, stored

    def store(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Return a model with its large weights in the file; itself if it has too few."""
        light, stored = self.take(model)
        if stored:
            put_back(light, stored)
        return light

    def add(self, name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
        """Return a constant: stored if it is a large float32 one, else with its values in it."""
        if not (values.dtype == np.float32 and values.nbytes >= LEAST_TENSOR):
            return numpy_helper.from_array(np.ascontiguousarray(values), name)
        try:
            return self._store(name, values)
        except OSError:
            return numpy_helper.from_array(np.ascontiguousarray(values), name)

    def replaced(self, tensor: onnx.TensorProto, values: NDArray[np.generic]) -> onnx.TensorProto:
        """Return a tensor that has no values of its own with stored ones.

        Raises:
            OSError: the file cannot be written.
        """
        stored = self._store(tensor.name, values)
        result = onnx.TensorProto()
        result.CopyFrom(tensor)
        result.data_location = stored.data_location
        result.external_data.extend(stored.external_data)
        return result

    def _store(self, name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
        if self._file is None:
            handle, self._path = tempfile.mkstemp(prefix=PREFIX)
            self._file = os.fdopen(handle, "wb")
            weakref.finalize(self, _remove, self._file, self._path)
        offset = -(-self._file.tell() // _ALIGNMENT) * _ALIGNMENT
        self._file.seek(offset)
        self._file.write(np.ascontiguousarray(values).data)
        self._file.flush()
        stored = onnx.TensorProto(
            name=name,
            data_type=onnx.TensorProto.FLOAT,
            dims=values.shape,
            data_location=onnx.TensorProto.EXTERNAL,
        )
        entries = {
            "location": os.path.basename(self._path),
            "offset": str(offset),
            "length": str(values.nbytes),
        }
        for key, value in entries.items():
            stored.external_data.add(key=key, value=value)
        return stored


def _remove(file: IO[bytes], path: str) -> None:
    with contextlib.suppress(OSError):
        file.close()
    with contextlib.suppress(OSError):
        os.unlink(path)


def put_back(model: onnx.ModelProto, stored: list[onnx.TensorProto]) -> None:
    """Make stored tensors initializers of a model that has them as inputs."""
    names = {tensor.name for tensor in stored}
    kept = [item for item in model.graph.input if item.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.graph.initializer.extend(stored)


def is_large(tensor: onnx.TensorProto) -> bool:
    """Whether a tensor is a large float32 one."""
    return tensor.data_type == onnx.TensorProto.FLOAT and _size(tensor) >= LEAST_TENSOR


def are_many(large: Sequence[onnx.TensorProto]) -> bool:
    """Whether large tensors are so many that they are worth storing."""
    return sum(_size(tensor) for tensor in large) >= LEAST_TOTAL


def is_stored(tensor: onnx.TensorProto) -> bool:
    """Whether the values of a tensor lie in a weight file."""
    return tensor.data_location == onnx.TensorProto.EXTERNAL and _entries(tensor).get(
        "location", ""
    ).startswith(PREFIX)


def large_weights(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """Return the weights of a model that are worth storing; none if they are too few."""
    large = [t for t in model.graph.initializer if t.HasField("raw_data") and is_large(t)]
    return large if are_many(large) else []


def has_stored(model: onnx.ModelProto) -> bool:
    """Whether a model has stored tensors among its initializers."""
    return any(is_stored(tensor) for tensor in model.graph.initializer)


def folder() -> str:
    """Return the folder of weight files."""
    return tempfile.gettempdir()


def tensor_values(tensor: onnx.TensorProto) -> NDArray[np.generic]:
    """Return the values of a tensor; those of a stored one mapped, read-only."""
    if not is_stored(tensor):
        values: NDArray[np.generic] = numpy_helper.to_array(tensor)
        return values
    entries = _entries(tensor)
    return np.memmap(
        os.path.join(folder(), entries["location"]),
        dtype=onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type),
        mode="r",
        offset=int(entries["offset"]),
        shape=tuple(tensor.dims),
    ).view(np.ndarray)


def whole(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with its stored weights in it; the model itself if it has none."""
    if not has_stored(model):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for tensor in result.graph.initializer:
        if is_stored(tensor):
            content = tensor_values(tensor).tobytes()
            del tensor.external_data[:]
            tensor.ClearField("data_location")
            tensor.raw_data = content
    return result


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _size(tensor: onnx.TensorProto) -> int:
    return int(4 * math.prod(tensor.dims))


def _copy(source: Message, target: Message, but: str) -> None:
    """Copy all fields of a message but one: what is deleted later keeps its memory."""
    for field, value in source.ListFields():
        if field.name == but:
            continue
        if isinstance(value, Message):
            getattr(target, field.name).CopyFrom(value)
        elif hasattr(value, "extend"):
            getattr(target, field.name).extend(value)
        else:
            setattr(target, field.name, value)

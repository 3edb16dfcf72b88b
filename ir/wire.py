"""Models as bytes of protobuf, their large weights never in memory.

A protobuf message is a row of fields: a key, 8 * number + wire type, and a value. Only the fields
on the way to the weights are looked at, ``ModelProto.graph``, ``GraphProto.initializer`` and
``TensorProto.raw_data``; everything else is passed on as it stands, known or not.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from onnx2snn.ir.stored_weights import (
    AVAILABLE,
    WeightFile,
    are_many,
    is_large,
    is_stored,
    tensor_values,
)

Buffer = bytes | memoryview

_GRAPH = onnx.ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER = onnx.GraphProto.INITIALIZER_FIELD_NUMBER
_RAW_DATA = onnx.TensorProto.RAW_DATA_FIELD_NUMBER
_SIZED = 2  # wire type of bytes and messages: a length, then as many bytes
_FIXED = {1: 8, 5: 4}  # bytes of the wire types of fixed size


class _Field(NamedTuple):
    """One field: its number, and where key, content and end are; content only if it is sized."""

    number: int
    start: int
    content: int
    end: int


class _Large(NamedTuple):
    """A large initializer: its graph's field, its own, itself without values, their field."""

    graph: _Field
    item: _Field
    tensor: onnx.TensorProto
    raw: _Field


def read_light(data: memoryview, weights: WeightFile) -> onnx.ModelProto:
    """Read a model and put its large float32 initializers into a file on the way.

    Args:
        data: the serialised model; a map of its file keeps it out of memory.
        weights: the file.

    Returns:
        The model with references in the places of these weights; the whole model where there is
        too little to store, or where the file cannot be written.

    Raises:
        DecodeError: the bytes are no model.
    """
    large = [
        _Large(graph, item, tensor, raw)
        for graph in _fields(data, 0, len(data), _GRAPH)
        for item in _fields(data, graph.content, graph.end, _INITIALIZER)
        for tensor, raw in _with_raw_data(data, item)
    ]
    content: bytes | None = None
    if AVAILABLE and are_many([tensor for _, _, tensor, _ in large]):
        with contextlib.suppress(OSError):
            content = _with_references(data, large, weights)
    model = onnx.ModelProto()
    model.ParseFromString(data.tobytes() if content is None else content)
    return model


def _with_references(data: memoryview, large: Sequence[_Large], weights: WeightFile) -> bytes:
    """Return the model as bytes, its large tensors in the file."""
    light = bytearray()
    at = 0
    for graph in _fields(data, 0, len(data), _GRAPH):
        light += data[at : graph.start]
        inner = bytearray()
        at = graph.content
        for found in large:
            if found.graph == graph:
                stored = _store(data, found, weights)
                inner += data[at : found.item.start]
                inner += _key_and_size(_INITIALIZER, len(stored)) + stored
                at = found.item.end
        inner += data[at : graph.end]
        light += _key_and_size(_GRAPH, len(inner)) + inner
        at = graph.end
    light += data[at:]
    return bytes(light)


def _store(data: memoryview, large: _Large, weights: WeightFile) -> bytes:
    raw = data[large.raw.content : large.raw.end]
    values = np.frombuffer(raw, np.float32).reshape(tuple(large.tensor.dims))
    return bytes(weights.replaced(large.tensor, values).SerializeToString())


def pieces(model: onnx.ModelProto) -> Iterator[Buffer]:
    """Yield the deterministic serialisation of a model with its stored weights in it."""
    data = memoryview(model.SerializeToString(deterministic=True))
    stored = {tensor.name: tensor for tensor in model.graph.initializer if is_stored(tensor)}
    if not stored:
        yield data
        return
    for field in _fields(data, 0, len(data)):
        if field.number != _GRAPH:
            yield data[field.start : field.end]
            continue
        inner = list(_graph_pieces(data, field, stored))
        yield _key_and_size(_GRAPH, sum(piece.nbytes for piece in inner))
        yield from inner


def _graph_pieces(
    data: memoryview, graph: _Field, stored: dict[str, onnx.TensorProto]
) -> Iterator[memoryview]:
    for field in _fields(data, graph.content, graph.end):
        tensor = onnx.TensorProto()
        if field.number == _INITIALIZER:
            tensor.ParseFromString(data[field.content : field.end].tobytes())
        if tensor.name not in stored:
            yield data[field.start : field.end]
            continue
        values = tensor_values(tensor).reshape(-1).view(np.uint8).data
        del tensor.external_data[:]
        tensor.ClearField("data_location")
        rest = memoryview(tensor.SerializeToString(deterministic=True))
        cut = next((f.start for f in _fields(rest, 0, len(rest)) if f.number > _RAW_DATA), None)
        before, after = rest[:cut], rest[len(rest) if cut is None else cut :]
        key = _key_and_size(_RAW_DATA, values.nbytes)
        size = before.nbytes + len(key) + values.nbytes + after.nbytes
        for piece in (_key_and_size(_INITIALIZER, size), before, key, values, after):
            yield memoryview(piece)


def _with_raw_data(data: memoryview, item: _Field) -> Iterator[tuple[onnx.TensorProto, _Field]]:
    """Yield a tensor without its raw data, and that; nothing if it has none, or several."""
    inner = list(_fields(data, item.content, item.end))
    raw = [field for field in inner if field.number == _RAW_DATA]
    if len(raw) != 1 or not raw[0].content:
        return
    rest = b"".join(data[f.start : f.end] for f in inner if f.number != _RAW_DATA)
    tensor = onnx.TensorProto.FromString(rest)
    if is_large(tensor) and raw[0].end - raw[0].content == 4 * math.prod(tensor.dims):
        yield tensor, raw[0]


def _fields(data: memoryview, start: int, end: int, number: int | None = None) -> Iterator[_Field]:
    """Yield the fields between two places; those of a number, which are sized, if it is given."""
    while start < end:
        key, at = _varint(data, start, end)
        kind, found = key & 7, key >> 3
        content = 0
        if kind == _SIZED:
            size, content = _varint(data, at, end)
            at = content + size
        elif kind == 0:
            _, at = _varint(data, at, end)
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise DecodeError(f"wire type {kind} is not one of an ONNX model")
        if at > end or not found:
            raise DecodeError("a field ends behind its message, or has no number")
        if number is None or (found == number and content):
            yield _Field(found, start, content, at)
        start = at


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, least first, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise DecodeError("a number has no end")


def _as_varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


def _key_and_size(number: int, size: int) -> bytes:
    return _as_varint(number << 3 | _SIZED) + _as_varint(size)

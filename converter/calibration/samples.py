"""Calibration samples: the caller's data, checked against the model, or seeded noise.

Without data the thresholds rest on synthetic inputs: noise with the 1/f spectrum of natural
images, standardised, plus white noise. The manifest then says ``synthetic``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.ir.errors import DataError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.manifest import CalibrationSource
from onnx2snn.ir.session import Tensors

SampleData = Mapping[str, NDArray[Any]] | NDArray[Any]

SYNTHETIC_SAMPLES = 64


@dataclass(frozen=True)
class Samples:
    """Inputs to calibrate on.

    A model whose batch has a fixed length takes exactly that many rows: one sample is then such
    a block of rows, and a run takes one.

    Attributes:
        feeds: one array [N, *F] per model input.
        source: where they come from.
        blocks: rows that a sample has, for inputs whose first axis has a fixed length.
        shared: inputs that are the same for all samples: they have no batch axis.
    """

    feeds: Tensors
    source: CalibrationSource
    blocks: Mapping[str, int] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return min((len(v) // self._rows(n) for n, v in self._batched.items()), default=1)

    @property
    def _batched(self) -> Tensors:
        return {name: values for name, values in self.feeds.items() if name not in self.shared}

    def first(self, count: int) -> Tensors:
        """Return the feeds of a run of the first ``count`` samples, or of as many as it takes."""
        return next(self.batches(count))

    def batches(self, size: int) -> Iterator[Tensors]:
        """Yield the feeds of runs of at most ``size`` samples each."""
        many, count = 1 if self.blocks else size, len(self)
        for start in range(0, count, many):
            stop = min(start + many, count)
            own = {
                name: values[start * self._rows(name) : stop * self._rows(name)]
                for name, values in self._batched.items()
            }
            yield {name: own.get(name, values) for name, values in self.feeds.items()}

    def _rows(self, name: str) -> int:
        return self.blocks.get(name, 1)


def input_shapes(model: onnx.ModelProto) -> dict[str, tuple[int | None, ...]]:
    """Return the shape of every graph input, None for open dimensions."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return {
        info.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else None
            for dim in info.type.tensor_type.shape.dim
        )
        for info in model.graph.input
        if info.name not in constants
    }


def sample_shapes(
    model: onnx.ModelProto, calibration: SampleData | None
) -> dict[str, tuple[int, ...]] | None:
    """Return the shapes of the samples by input name: they close open dimensions.

    Samples that do not fit are left out here; they are told as bad data, all at once.
    """
    if calibration is None:
        return None
    own = input_shapes(model)
    if not isinstance(calibration, Mapping):
        calibration = dict.fromkeys(own, calibration) if len(own) == 1 else {}
    given = {name: np.shape(calibration[name]) for name in own if name in calibration}
    return {name: shape for name, shape in given.items() if _may_have(own[name], shape)}


def _may_have(declared: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    """Whether a shape fits what an input declares; one that declares nothing may have any."""
    if not declared:
        return True
    pairs = list(zip(declared, shape, strict=False))[1:]
    return len(declared) == len(shape) and all(d in (None, n) for d, n in pairs)


def _as_samples(model: onnx.ModelProto, feeds: Tensors, source: CalibrationSource) -> Samples:
    """Count samples: where some inputs have an open batch axis, only those are batched."""
    shapes = input_shapes(model)
    some_open = any(shape and shape[0] is None for shape in shapes.values())
    fixed = {name: shape[0] for name, shape in shapes.items() if shape and shape[0] is not None}
    shared = frozenset(n for n, s in shapes.items() if not s or (some_open and n in fixed))
    feeds = {n: v[: fixed[n]] if n in shared and n in fixed else v for n, v in feeds.items()}
    samples = Samples(feeds, source, {} if some_open else fixed, shared)
    return replace(samples, source=source.model_copy(update={"samples": len(samples)}))


def given_samples(model: onnx.ModelProto, data: SampleData) -> Samples:
    """Check the caller's samples against the model's inputs.

    Args:
        model: the ANN.
        data: arrays [N, *F] by input name, or one array for a model with one input.

    Raises:
        DataError: names, shapes or values do not fit; all problems at once.
    """
    shapes = input_shapes(model)
    if isinstance(data, np.ndarray):
        if len(shapes) != 1:
            raise DataError(
                f"one array was given, but the model has {len(shapes)} inputs",
                remedy=f"pass a mapping with the keys {', '.join(shapes)}",
            )
        data = {next(iter(shapes)): data}
    problems = [
        Finding(code="bad-data", severity="error", message=message)
        for name, shape in shapes.items()
        for message in _misfit(name, shape, data.get(name))
    ]
    if problems:
        raise DataError(
            "the calibration data does not fit the model",
            remedy="arrays must be named, shaped and preprocessed as the ANN's inputs",
            findings=problems,
        )
    feeds: Tensors = {
        name: np.asarray(data[name]).astype(_input_dtype(model, name)) for name in shapes
    }
    digest = hashlib.sha256()
    for name in sorted(feeds):
        digest.update(np.ascontiguousarray(feeds[name]).tobytes())
    source = CalibrationSource(kind="data", samples=0, sha256=digest.hexdigest())
    return _as_samples(model, feeds, source)


def _misfit(
    name: str, shape: tuple[int | None, ...], values: NDArray[np.generic] | None
) -> list[str]:
    if values is None:
        return [f"input '{name}' is missing"]
    fits = values.ndim == len(shape) and all(
        wanted is None or wanted == got
        for wanted, got in zip(shape[1:], values.shape[1:], strict=True)
    )
    expected = ["N", *("?" if d is None else str(d) for d in shape[1:])]
    if not fits:
        return [f"input '{name}' has shape {list(values.shape)}, needs [{', '.join(expected)}]"]
    if values.size == 0:
        return [f"input '{name}' has no samples"]
    if shape and shape[0] is not None and len(values) < shape[0]:
        return [f"input '{name}' has {len(values)} samples, needs {shape[0]} at a time"]
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return [f"input '{name}' contains NaN or infinity"]
    if values.dtype.kind not in "fiub":
        return [f"input '{name}' has data type {values.dtype}, needs numbers"]
    return []


def synthetic_samples(model: onnx.ModelProto, seed: int) -> Samples:
    """Make noise for every input.

    Raises:
        DataError: an input has open dimensions besides the batch, so that no shape is known.
    """
    rng = np.random.default_rng(seed)
    feeds: Tensors = {}
    for name, shape in input_shapes(model).items():
        if any(size is None for size in shape[1:]):
            raise DataError(
                f"input '{name}' has open dimensions {list(shape)} and there is no data",
                remedy="pass calibration data (--calibration), or fix the shape when exporting",
            )
        full = tuple(size or SYNTHETIC_SAMPLES for size in shape)
        limit = _index_limit(model, name)
        feeds[name] = (
            _noise(rng, full) if limit is None else _indices(rng, full, limit, model, name)
        )
    return _as_samples(model, feeds, CalibrationSource(kind="synthetic", samples=0))


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return unit-variance noise, half of it with a 1/f spectrum over the feature axes."""
    white = rng.standard_normal(shape)
    axes = tuple(axis for axis in range(1, len(shape)) if shape[axis] > 4)
    if axes:
        frequencies = np.zeros((1,) * len(shape))
        for axis in axes:
            column = np.fft.fftfreq(shape[axis]) * shape[axis]
            frequencies = (
                frequencies
                + column.reshape(tuple(-1 if a == axis else 1 for a in range(len(shape)))) ** 2
            )
        spectrum = np.fft.fftn(white[::2], axes=axes) / np.maximum(np.sqrt(frequencies), 1.0)
        pink = np.real(np.fft.ifftn(spectrum, axes=axes))
        spread = pink.std(axis=tuple(range(1, len(shape))), keepdims=True)
        white[::2] = pink / np.maximum(spread, 1e-12)
    return white.astype(np.float32)


def _input_dtype(model: onnx.ModelProto, name: str) -> np.dtype[np.generic]:
    info = next(info for info in model.graph.input if info.name == name)
    return np.dtype(helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type))


def _index_limit(model: onnx.ModelProto, name: str) -> int | None:
    """Return the first invalid value of an integer input: the rows of the tables it looks up."""
    if _input_dtype(model, name).kind == "f":
        return None
    rows = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    limits = [
        rows[node.input[0]]
        for node in model.graph.node
        if node.op_type == "Gather" and name == node.input[1] and node.input[0] in rows
    ]
    return min(limits, default=2)


def _indices(
    rng: np.random.Generator, shape: tuple[int, ...], limit: int, model: onnx.ModelProto, name: str
) -> NDArray[np.generic]:
    return rng.integers(0, limit, size=shape).astype(_input_dtype(model, name))

"""Running a model as it stands, with ONNX Runtime and none of its graph optimisations.

This is the judge of the canonical form: what a pass did is compared here with what the source
computes, on inputs drawn from a fixed seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when the library is imported

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from onnx2snn.ir.resident_memory import MappedPages
from onnx2snn.ir.session import use_stored
from onnx2snn.ir.stored_weights import has_stored

Arrays = Mapping[str, NDArray[np.generic]]

_ORT_TYPES: dict[str, np.dtype[np.generic]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int16)": np.dtype(np.int16),
    "tensor(int8)": np.dtype(np.int8),
    "tensor(uint64)": np.dtype(np.uint64),
    "tensor(uint32)": np.dtype(np.uint32),
    "tensor(uint16)": np.dtype(np.uint16),
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(bool)": np.dtype(np.bool_),
}


class ExecutionError(Exception):
    """ONNX Runtime cannot load or run a model; the message is its own."""


class Execution:
    """One loaded model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        options.intra_op_num_threads = min(4, os.cpu_count() or 1)
        self._pages = MappedPages()
        if has_stored(model):
            use_stored(options)
        content = model.SerializeToString()

        def load() -> ort.InferenceSession:
            return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])

        try:
            self._session = self._pages.made_by(load) if has_stored(model) else load()
        except Exception as error:  # its exceptions have no public base class
            raise ExecutionError(_first_line(error)) from error
        self.input_names = [item.name for item in self._session.get_inputs()]
        self.output_names = [item.name for item in self._session.get_outputs()]

    def run(self, feeds: Arrays, outputs: Iterable[str] | None = None) -> dict[str, object]:
        """Outputs by name; arrays, or lists and maps where the model says so."""
        names = list(self.output_names if outputs is None else outputs)
        try:
            with self._pages.in_use():
                results = self._session.run(names, dict(feeds))
        except Exception as error:  # its exceptions have no public base class
            raise ExecutionError(_first_line(error)) from error
        return dict(zip(names, results, strict=True))

    def feeds(self, batch: int, seed: int) -> dict[str, NDArray[np.generic]]:
        """Seeded inputs. Even seeds draw from a normal, odd ones from the unit interval.

        A symbolic first axis becomes ``batch``. Integers are drawn from {0, 1}: small enough for
        any vocabulary.
        """
        rng = np.random.default_rng(seed)
        return {
            item.name: _sample(rng, seed, _ORT_TYPES.get(item.type), _concrete(item.shape, batch))
            for item in self._session.get_inputs()
        }


def stack(first: Arrays, second: Arrays, batched: Iterable[str]) -> dict[str, NDArray[np.generic]]:
    """The two inputs as one batch; inputs without a batch axis are taken from the first."""
    axes = set(batched)
    return {
        name: np.concatenate([value, second[name]]) if name in axes else value
        for name, value in first.items()
    }


def _concrete(shape: Iterable[object], batch: int) -> list[int]:
    dims = list(shape)
    if any(not isinstance(dim, int) for dim in dims[1:]):
        raise ExecutionError(f"an input has the dynamic shape {dims}")
    return [dim if isinstance(dim, int) else batch for dim in dims]


def _sample(
    rng: np.random.Generator, seed: int, dtype: np.dtype[np.generic] | None, shape: list[int]
) -> NDArray[np.generic]:
    if dtype is None:
        raise ExecutionError("an input is no tensor of numbers")
    if dtype.kind != "f":
        return rng.integers(0, 2, size=shape).astype(dtype)
    drawn = rng.standard_normal(shape) if seed % 2 == 0 else rng.random(shape)
    return drawn.astype(dtype)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__

"""Samples and labels for a model, from a file or a folder, checked before anything runs on them.

DATA is a ``.npz`` file with arrays named as the model's inputs (a lone array goes to a lone input)
and optional ``labels``; a ``.npy`` file; or a folder of images. All problems are told at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.errors import DataError
from onnx2snn.ir.findings import Finding
from onnx2snn.runtime.data.array_files import MAX_BYTES, read_npy, read_npz
from onnx2snn.runtime.data.image_folder import ImageOptions, load_image_folder
from onnx2snn.runtime.data.input_spec import InputSpec, describe

LABELS = "labels"

_MOST_NAMED = 20


@dataclass(frozen=True)
class Dataset:
    """Samples that fit a model.

    Attributes:
        arrays: one array per input, samples first.
        labels: one class number per sample, or None.
        source: the file or folder they come from.
        sha256: digest of the values of ``arrays``; manifests state the same.
    """

    arrays: Mapping[str, NDArray[np.generic]]
    labels: NDArray[np.int64] | None
    source: str
    sha256: str

    @property
    def samples(self) -> int:
        """Return the number of samples."""
        return len(next(iter(self.arrays.values())))


def load_data(
    path: str | os.PathLike[str],
    inputs: Sequence[InputSpec],
    *,
    images: ImageOptions | None = None,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Load samples for a model with these inputs.

    Args:
        path: ``.npz``, ``.npy`` or a folder of images.
        inputs: what the model expects.
        images: how pixels become numbers, for a folder; None takes the defaults.
        max_bytes: limit on the memory the samples take.
        progress: called with the images done and their number.

    Raises:
        DataError: the samples are missing, misnamed, misshaped, of the wrong type or not finite.
    """
    source = Path(path)
    if not source.exists():
        raise DataError(f"there is no file or folder {source}", remedy="check the path")
    labels: NDArray[np.generic] | None
    if source.is_dir():
        spec = _lone_input(inputs, "a folder of images")
        array, labels = load_image_folder(
            source, spec, images or ImageOptions(), max_bytes=max_bytes, progress=progress
        )
        arrays: dict[str, NDArray[np.generic]] = {spec.name: array}
    elif source.suffix == ".npy":
        spec = _lone_input(inputs, "a .npy file")
        arrays, labels = {spec.name: read_npy(source, max_bytes)}, None
    elif source.suffix == ".npz":
        arrays, labels = _from_npz(source, inputs, max_bytes)
    else:
        raise DataError(
            f"{source.name} is of no known type",
            remedy="hand in a .npz file, a .npy file or a folder of images",
        )
    arrays, numbers = fit_data(arrays, inputs, labels, source.name)
    return Dataset(arrays, numbers, str(source), digest(arrays))


def fit_data(
    arrays: Mapping[str, NDArray[np.generic]],
    inputs: Sequence[InputSpec],
    labels: NDArray[np.generic] | None = None,
    source: str = "the data",
) -> tuple[dict[str, NDArray[np.generic]], NDArray[np.int64] | None]:
    """Check arrays against inputs; cast floats to the float type of the model.

    Raises:
        DataError: they do not fit; every reason is a finding.
    """
    problems: list[str] = []
    fitted = {}
    for spec in inputs:
        fitted[spec.name] = _fit(arrays[spec.name], spec, problems)
    counts = {name: len(array) for name, array in fitted.items() if array.ndim}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"'{name}' {count}" for name, count in counts.items())
        problems.append(f"the arrays have different numbers of samples: {told}")
    numbers = None
    if labels is not None:
        numbers = _fit_labels(labels, next(iter(counts.values()), 0), problems)
    if problems:
        raise _misfit(source, inputs, problems)
    return fitted, numbers


def digest(arrays: Mapping[str, NDArray[np.generic]]) -> str:
    """Return the SHA-256 of the values, in the order of the names, as manifests state it."""
    state = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        values = array.astype(np.float32) if array.dtype.kind == "f" else array
        state.update(np.ascontiguousarray(values).tobytes())
    return state.hexdigest()


def _lone_input(inputs: Sequence[InputSpec], what: str) -> InputSpec:
    if len(inputs) != 1:
        names = ", ".join(str(spec) for spec in inputs)
        raise DataError(
            f"{what} serves a model with one input; this one has {len(inputs)}: {names}",
            remedy="hand in a .npz file with one array per input",
        )
    return inputs[0]


def _from_npz(
    path: Path, inputs: Sequence[InputSpec], max_bytes: int
) -> tuple[dict[str, NDArray[np.generic]], NDArray[np.generic] | None]:
    names = {spec.name for spec in inputs}
    source_of: dict[str, str] = {}

    def choose(found: list[str]) -> list[str]:
        others = [name for name in found if name != LABELS or name in names]
        missing = names - set(others)
        if missing and len(inputs) == 1 and len(others) == 1:
            source_of[inputs[0].name] = others[0]
        elif missing:
            told = [f"there is no array named '{name}'" for name in sorted(missing)]
            told.append(f"found: {', '.join(repr(name) for name in others) or 'nothing'}")
            raise _misfit(path.name, inputs, told)
        else:
            source_of.update({name: name for name in names})
        return [*source_of.values(), *([LABELS] if LABELS in found else [])]

    read = read_npz(path, choose, max_bytes)
    labels = None if LABELS in names else read.get(LABELS)
    return {name: read[origin] for name, origin in source_of.items()}, labels


def _fit(array: NDArray[np.generic], spec: InputSpec, problems: list[str]) -> NDArray[np.generic]:
    before = len(problems)
    if not _type_fits(array.dtype, spec.dtype):
        how = ""
        if spec.dtype.kind == "f" and array.dtype.kind in "iub":
            how = "; convert and scale it as in training, e.g. x.astype('float32') / 255"
        problems.append(f"'{spec.name}' has type {array.dtype}, not {spec.dtype}{how}")
    if not _shape_fits(array.shape, spec):
        problems.append(f"'{spec.name}' is {describe(array)}; expected {spec}")
    elif array.ndim and not len(array):
        problems.append(f"'{spec.name}' holds no samples")
    if len(problems) > before:
        return array
    with np.errstate(over="ignore"):
        cast = array.astype(spec.dtype, copy=False)
    _find_infinities(cast, spec.name, problems)
    return cast


def _type_fits(given: np.dtype[np.generic], expected: np.dtype[np.generic]) -> bool:
    """Floats of any width fit floats; whole numbers fit wider whole numbers, never floats."""
    if expected.kind in "fV":  # V: bfloat16
        return given.kind == "f" or given == expected
    return np.can_cast(given, expected, "safe")


def _shape_fits(shape: tuple[int, ...], spec: InputSpec) -> bool:
    expected = spec.sample_shape
    if expected is None:
        return len(shape) > 0
    return len(shape) == len(expected) and all(
        want is None or size == want for size, want in zip(shape, expected, strict=True)
    )


def _find_infinities(array: NDArray[np.generic], name: str, problems: list[str]) -> None:
    if array.dtype.kind not in "fc":
        return
    wrong = ~np.isfinite(array)
    if wrong.any():
        first = int(np.flatnonzero(wrong.reshape(len(array), -1).any(axis=1))[0])
        problems.append(
            f"'{name}' has {int(wrong.sum())} values that are NaN or infinite in {array.dtype}, "
            f"the first in sample {first}"
        )


def _fit_labels(
    labels: NDArray[np.generic], samples: int, problems: list[str]
) -> NDArray[np.int64] | None:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "iub" or labels.shape != (samples,):
        problems.append(
            f"'{LABELS}' is {describe(labels)}; expected one class number (integer) for each of "
            f"the {samples} samples"
        )
        return None
    return labels.astype(np.int64)


def _misfit(source: str, inputs: Sequence[InputSpec], problems: Sequence[str]) -> DataError:
    expected = " and ".join(str(spec) for spec in inputs)
    return DataError(
        f"{source} does not fit the model",
        remedy=f"the model expects {expected}, N samples first",
        findings=[
            Finding(code="bad-data", severity="error", message=text)
            for text in problems[:_MOST_NAMED]
        ],
    )

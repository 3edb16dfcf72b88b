"""A folder of images as one array: sorted files, class sub-folders give labels.

value = (pixel * scale - mean) / std        per channel; pixel in 0..255
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from onnx2snn.ir.errors import DataError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.types import Array
from onnx2snn.runtime.data.array_files import MAX_BYTES
from onnx2snn.runtime.data.input_spec import InputSpec

Layout = Literal["nchw", "nhwc"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")
MAX_PIXELS = 2**26
"""Pixels one image file may have before it is resized."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_MOST_NAMED = 20


@dataclass(frozen=True)
class ImageOptions:
    """How pixels become the model's input.

    Attributes:
        size: height and width; None takes the model's.
        mean: subtracted per channel after scaling; one number serves all channels.
        std: divides per channel after that.
        layout: channels first or last; None takes what the model's input shape suggests.
        scale: factor on the pixels.
    """

    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: Layout | None = None
    scale: float = 1 / 255


@dataclass(frozen=True)
class _Plan:
    height: int
    width: int
    channels: int
    layout: Layout
    scale: float
    mean: Array
    std: Array


def load_image_folder(
    folder: Path,
    spec: InputSpec,
    options: ImageOptions,
    *,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Array, NDArray[np.int64] | None]:
    """Read all images of a folder, resized (bilinear) to one size.

    Args:
        folder: images, or one sub-folder of images per class, numbered in sorted order.
        spec: the model's input.
        options: size, normalisation and layout.
        max_bytes: limit on the memory of the result.
        progress: called with the images done and their number.

    Returns:
        The samples, float32, and the labels if there are class folders.

    Raises:
        DataError: no image, a damaged one, or a size or layout nobody says.
    """
    plan = _plan(spec, options)
    files, labels = _list_images(folder)
    size = len(files) * plan.height * plan.width * plan.channels * 4
    if size > max_bytes:
        raise DataError(
            f"{len(files)} images take {size / 2**30:.1f} GiB; the limit is "
            f"{max_bytes / 2**30:.1f} GiB",
            remedy="hand in fewer images",
        )
    samples = _read_all(files, plan, progress)
    samples = (samples * np.float32(plan.scale) - plan.mean) / plan.std
    if plan.layout == "nchw":
        samples = np.ascontiguousarray(samples.transpose(0, 3, 1, 2))
    return samples, labels


def _read_all(
    files: Sequence[Path], plan: _Plan, progress: Callable[[int, int], None] | None
) -> Array:
    samples = np.empty((len(files), plan.height, plan.width, plan.channels), np.float32)
    problems: list[Finding] = []
    for index, file in enumerate(files):
        try:
            samples[index] = _read_image(file, plan)
        except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            reason = str(error).replace(str(file), file.name)
            problems.append(
                Finding(code="bad-image", severity="error", message=f"{file}: {reason}")
            )
        if progress:
            progress(index + 1, len(files))
    if problems:
        raise DataError(
            f"{len(problems)} of {len(files)} images cannot be read",
            remedy="replace or remove these files",
            findings=problems[:_MOST_NAMED],
        )
    return samples


def _plan(spec: InputSpec, options: ImageOptions) -> _Plan:
    shape = spec.shape
    if shape is None or len(shape) != 4:
        raise DataError(
            f"a folder of images does not fit the input {spec}: it has no image shape",
            remedy="hand in the samples as .npz or .npy",
        )
    layout = options.layout or _suggested_layout(spec)
    channels, *sides = shape[1:] if layout == "nchw" else (shape[3], shape[1], shape[2])
    if channels is not None and channels not in _MODES:
        raise DataError(
            f"the input {spec} has {channels} channels in layout {layout}; images have 1, 3 or 4",
            remedy="choose the other --layout, or hand in the samples as .npz",
        )
    height, width = options.size or (sides[0], sides[1])
    if height is None or width is None:
        raise DataError(
            f"the input {spec} leaves height and width open",
            remedy="say the size of the images: --size HEIGHTxWIDTH",
        )
    count = channels or 3
    mean, std = (_per_channel(name, getattr(options, name), count) for name in ("mean", "std"))
    if not (std != 0).all():
        raise DataError("--std must not be zero", remedy="give the standard deviations in use")
    return _Plan(height, width, count, layout, options.scale, mean, std)


def _suggested_layout(spec: InputSpec) -> Layout:
    assert spec.shape is not None
    first, last = spec.shape[1] in _MODES, spec.shape[3] in _MODES
    if first == last:
        raise DataError(
            f"the shape of the input {spec} does not tell channels first from channels last",
            remedy="say it: --layout nchw or --layout nhwc",
        )
    return "nchw" if first else "nhwc"


def _per_channel(name: str, values: Sequence[float], channels: int) -> Array:
    if len(values) not in (1, channels):
        raise DataError(
            f"--{name} has {len(values)} numbers; the images have {channels} channels",
            remedy=f"give one number, or {channels} separated by commas",
        )
    return np.asarray(values, np.float32)


def _list_images(folder: Path) -> tuple[list[Path], NDArray[np.int64] | None]:
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    classes = [entry for entry in classes if not entry.name.startswith(".")]
    direct = _images_in(folder)
    if direct and classes:
        raise DataError(
            f"{folder} holds both images and sub-folders",
            remedy="put images into the class folders only, or remove the sub-folders",
        )
    if not classes:
        files, labels = direct, None
    else:
        grouped = [_images_in(entry) for entry in classes]
        files = [file for group in grouped for file in group]
        labels = np.repeat(np.arange(len(classes)), [len(group) for group in grouped])
    if not files:
        raise DataError(
            f"{folder} holds no images", remedy=f"known file types: {' '.join(SUFFIXES)}"
        )
    return files, labels


def _images_in(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.suffix.lower() in SUFFIXES)


def _read_image(file: Path, plan: _Plan) -> Array:
    with Image.open(file) as image:
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise ValueError(f"it has {pixels} pixels; the limit is {MAX_PIXELS}")
        shown = image.convert(_MODES[plan.channels])
    if shown.size != (plan.width, plan.height):
        shown = shown.resize((plan.width, plan.height), Image.Resampling.BILINEAR)
    array = np.asarray(shown, np.float32)
    return array.reshape(plan.height, plan.width, plan.channels)

"""Search the smallest T that keeps the loss within a bound, on calibration data only."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.converter.calibration.samples import Samples
from onnx2snn.converter.report import SearchPoint
from onnx2snn.ir.errors import DataError
from onnx2snn.ir.manifest import MANIFEST_KEY
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors

MOST_TIMESTEPS = 256
PART = 64
"""Samples times timesteps that are run at once."""


def search_timesteps(
    model: SpikingModel, ann: onnx.ModelProto, samples: Samples, max_loss: float
) -> tuple[SpikingModel, tuple[SearchPoint, ...]]:
    """Return the model with the smallest default T whose loss is at most ``max_loss``.

    T doubles until the bound holds, then the interval is halved: the loss is not strictly
    monotone in T, so the T found is the least of the points tried.

    Raises:
        DataError: no T up to 256 meets the bound.
    """
    reference = _run_in_parts(Session(ann), samples, {}, PART)
    session = Session(model.light)
    tried: dict[int, float] = {}

    def loss(timesteps: int) -> float:
        if timesteps not in tried:
            clock: Tensors = {model.timesteps_input: np.asarray(timesteps, np.int64)}
            part = max(1, PART // timesteps)
            tried[timesteps] = output_loss(reference, _run_in_parts(session, samples, clock, part))
        return tried[timesteps]

    high = 1
    while loss(high) > max_loss:
        high *= 2
        if high > MOST_TIMESTEPS:
            raise DataError(
                f"no T up to {MOST_TIMESTEPS} keeps the loss within {max_loss:.4%}; "
                f"the least was {min(tried.values()):.4%}",
                remedy="allow a greater loss, or use a finer grid (--preset graded)",
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if loss(middle) <= max_loss else (middle, high)
    points = tuple(SearchPoint(timesteps=t, loss=tried[t]) for t in sorted(tried))
    return with_timesteps(model, high, max_loss), points


def _run_in_parts(session: Session, samples: Samples, clock: Tensors, part: int) -> Tensors:
    """Run all samples, a part at a time, so that memory does not grow with their number."""
    results = [session.run({**few, **clock}) for few in samples.batches(part)]
    return {name: np.concatenate([r[name] for r in results]) for name in results[0]}


def output_loss(
    reference: dict[str, NDArray[np.generic]], outputs: dict[str, NDArray[np.generic]]
) -> float:
    """Return the share of changed top-1 answers, or the relative error of a regression."""
    for name, expected in reference.items():
        if expected.dtype.kind == "f" and expected.ndim == 2 and expected.shape[1] > 1:
            changed = expected.argmax(axis=1) != outputs[name].argmax(axis=1)
            return float(changed.mean())
    pairs = [
        (np.asarray(reference[n], np.float64), np.asarray(outputs[n], np.float64))
        for n in reference
        if reference[n].dtype.kind == "f"
    ]
    error = sum(float(((a - b) ** 2).sum()) for a, b in pairs)
    size = sum(float((a**2).sum()) for a, _ in pairs)
    return float(np.sqrt(error / max(size, 1e-30)))


def with_timesteps(model: SpikingModel, timesteps: int, max_loss: float) -> SpikingModel:
    """Return the model with another default T, found for a bound on the loss."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model.light)
    for tensor in proto.graph.initializer:
        if tensor.name == model.timesteps_input:
            value = np.asarray(timesteps, np.int64)
            tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
    update: dict[str, Any] = {"timesteps": timesteps, "max_loss": max_loss}
    manifest = model.manifest.model_copy(update=update)
    for entry in proto.metadata_props:
        if entry.key == MANIFEST_KEY:
            entry.value = manifest.model_dump_json()
    return SpikingModel(proto, model.weights)

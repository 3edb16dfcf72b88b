"""Streaming statistics of activations, per channel, over any amount of calibration data.

Two passes over the data: the first finds each channel's range, the second (only for rules that
need it) fills a histogram of fixed width. Memory does not grow with the number of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.errors import DataError
from onnx2snn.ir.session import Session, Tensors

BINS = 2048


@dataclass(frozen=True)
class ChannelStatistics:
    """Statistics of one tensor.

    Attributes:
        least: minimum per channel [C].
        greatest: maximum per channel [C].
        mean: mean per channel [C].
        histogram: counts per channel and bin of |a| over [0, reach] [C, BINS]; None if not asked.
    """

    least: NDArray[np.float64]
    greatest: NDArray[np.float64]
    mean: NDArray[np.float64]
    histogram: NDArray[np.int64] | None = None

    @property
    def reach(self) -> NDArray[np.float64]:
        """Return the greatest magnitude per channel [C]."""
        return np.maximum(np.abs(self.least), np.abs(self.greatest))


def channels_first(values: NDArray[np.generic], axis: int) -> NDArray[np.float64]:
    """Return values [N, *F] as [C, everything else]; without *F there is one channel."""
    if values.ndim < 2:
        return np.asarray(values, dtype=np.float64).reshape(1, -1)
    moved = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    return moved.reshape(moved.shape[0], -1)


def measure(
    session: Session,
    batches: Callable[[], Iterator[Tensors]],
    axes: Mapping[str, int],
    *,
    histograms: bool,
) -> dict[str, ChannelStatistics]:
    """Measure tensors of a model over calibration batches.

    Args:
        session: the model with the tensors among its outputs.
        batches: returns a fresh iterator over the feeds.
        axes: channel axis of every tensor to measure, by name.
        histograms: whether the second pass is needed.

    Raises:
        DataError: there are no samples, or an activation is not finite.
    """
    ranges = _ranges(session, batches(), axes)
    if not histograms:
        return ranges
    counts = {name: np.zeros((len(r.least), BINS), np.int64) for name, r in ranges.items()}
    for feeds in batches():
        for name, values in session.run(feeds, list(axes)).items():
            counts[name] += _histogram(
                np.abs(channels_first(values, axes[name])), ranges[name].reach
            )
    return {name: replace(r, histogram=counts[name]) for name, r in ranges.items()}


def _ranges(
    session: Session, batches: Iterator[Tensors], axes: Mapping[str, int]
) -> dict[str, ChannelStatistics]:
    """Return range and mean of every tensor, from one pass."""
    least: dict[str, NDArray[np.float64]] = {}
    greatest: dict[str, NDArray[np.float64]] = {}
    total: dict[str, NDArray[np.float64]] = {}
    count: dict[str, int] = {}
    for feeds in batches:
        for name, values in session.run(feeds, list(axes)).items():
            flat = channels_first(values, axes[name])
            low, high = flat.min(axis=1), flat.max(axis=1)
            if not (np.isfinite(low).all() and np.isfinite(high).all()):
                raise DataError(
                    f"the activation '{name}' is not finite on the calibration data",
                    remedy="check the preprocessing of the data; the ANN overflows on it",
                )
            least[name] = np.minimum(least.get(name, low), low)
            greatest[name] = np.maximum(greatest.get(name, high), high)
            total[name] = total.get(name, np.zeros_like(low)) + flat.sum(axis=1)
            count[name] = count.get(name, 0) + flat.shape[1]
    if not count:
        raise DataError("there are no calibration samples", remedy="pass at least one sample")
    return {n: ChannelStatistics(least[n], greatest[n], total[n] / count[n]) for n in count}


def _histogram(magnitudes: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count |a| [C, M] into BINS equal bins over [0, reach_c]; exact zeros are not counted."""
    channels = len(reach)
    scale = np.where(reach > 0, BINS / np.where(reach > 0, reach, 1), 0)[:, None]
    index = np.minimum((magnitudes * scale).astype(np.int64), BINS - 1)
    index += np.arange(channels)[:, None] * BINS
    flat = index[magnitudes > 0]
    return np.bincount(flat, minlength=channels * BINS).reshape(channels, BINS)


def pooled(statistics: ChannelStatistics) -> ChannelStatistics:
    """Return the statistics of all channels of a layer taken together, as one channel."""
    reach = statistics.reach
    greatest = float(reach.max(initial=0.0))
    histogram = None
    if statistics.histogram is not None:
        histogram = np.zeros((1, BINS), np.int64)
        centres = (np.arange(BINS) + 0.5) / BINS
        for counts, own in zip(statistics.histogram, reach, strict=True):
            if own > 0:
                places = np.minimum((centres * own / greatest * BINS).astype(np.int64), BINS - 1)
                np.add.at(histogram[0], places, counts)
    return ChannelStatistics(
        statistics.least.min(keepdims=True),
        statistics.greatest.max(keepdims=True),
        statistics.mean.mean(keepdims=True),
        histogram,
    )


def batch_size(shapes: Mapping[str, Sequence[int]], names: Sequence[str], budget: int) -> int:
    """Return how many samples keep the measured tensors within ``budget`` bytes (at least 1).

    Args:
        shapes: shapes at batch 1.
        names: tensors that are held at once.
        budget: bytes.
    """
    per_sample = sum(int(np.prod(shapes[name])) * 8 for name in names)
    return int(max(1, min(256, budget // max(per_sample, 1))))

"""Measure: run a spiking network and its ANN over samples and keep what adds up over them.

``measure`` gives sums for every chunk of samples. Those of several parts of one data set, each
measured anywhere, are joined in the order of the samples: floating-point sums are then taken in
the same order as in one run, and the account is the same bit for bit if the parts end at ends of
chunks (``chunk_samples``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.derive.record import sources
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.outcomes.activity import (
    Activity,
    add_activity,
    correlation,
    decoded,
    measure_activity,
    upper_bounds,
)
from onnx2snn.runtime.outcomes.scores import Score, compare
from onnx2snn.runtime.outcomes.trace import Trace
from onnx2snn.runtime.runs.ann_run import AnnRun
from onnx2snn.runtime.runs.spiking_run import (
    Progress,
    RunOptions,
    model_batch,
    plan_chunks,
    run_chunks,
)

CORRELATION_SAMPLES = 8

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Scores:
    """Comparisons summed over samples: ANN and PTQ and every T with the ANN; every T with PTQ."""

    ann: Score
    ptq: Score
    snn: Mapping[int, Score]
    target: Mapping[int, Score]

    def __add__(self, other: Scores) -> Scores:
        return Scores(
            ann=self.ann + other.ann,
            ptq=self.ptq + other.ptq,
            snn={t: score + other.snn[t] for t, score in self.snn.items()},
            target={t: score + other.target[t] for t, score in self.target.items()},
        )


@dataclass(frozen=True)
class Measured:
    """What a run over some samples came to.

    Attributes:
        chunks: comparisons of every chunk of samples, in order.
        activity: events by stream, summed over all samples.
        correlations: by stream, of the first few samples; None if these are in another part.
        seconds: time of the spiking run.
    """

    chunks: tuple[Scores, ...]
    activity: Activity
    correlations: Mapping[str, float | None] | None
    seconds: float

    @property
    def scores(self) -> Scores:
        """Return the comparisons over all samples."""
        return reduce(add, self.chunks)


def measure(
    model: SpikingModel,
    ann: onnx.ModelProto,
    samples: Tensors,
    labels: NDArray[np.generic] | None,
    points: Sequence[int],
    options: RunOptions,
    progress: Progress | None = None,
    *,
    correlate: bool = True,
) -> Measured:
    """Run both networks over samples.

    Args:
        model: the spiking network.
        ann: the network it was made from.
        samples: as ``check_samples`` gives them.
        labels: class numbers [N], if known.
        points: timesteps to compare at, ascending.
        options: how to run; the recording must be ``counts``.
        progress: called with the samples done and their number.
        correlate: measure the correlations on the first samples.

    Raises:
        SimulationError: the simulation cannot run as asked, or there are no samples.
    """
    T = points[-1]
    networks = _Networks(model, ann, T, options.threads)
    chunks: list[Scores] = []
    activity: Activity = {}
    correlations: Mapping[str, float | None] | None = None
    seconds = 0.0
    for took, (place, feeds, trace) in _timed(
        run_chunks(model, samples, T, points, options, progress)
    ):
        seconds += took
        chunks.append(networks.score(feeds, trace, None if labels is None else labels[place]))
        measured = measure_activity(trace.layers, upper_bounds(model, T), model_batch(model))
        activity = add_activity(activity, measured)
        if correlate and correlations is None:
            correlations = networks.correlations(feeds, trace)
        del trace, measured  # the next chunk needs the room
    if not chunks:
        raise SimulationError("there are no samples", remedy="hand in at least one sample")
    return Measured(tuple(chunks), activity, correlations, seconds)


def join(parts: Sequence[Measured]) -> Measured:
    """Return what parts of a data set came to together, in the order of the samples.

    Raises:
        SimulationError: there are no parts.
    """
    if not parts:
        raise SimulationError("there are no parts to join", remedy="measure at least one")
    activity: Activity = {}
    for part in parts:
        activity = add_activity(activity, part.activity)
    return Measured(
        chunks=tuple(chunk for part in parts for chunk in part.chunks),
        activity=activity,
        correlations=next((p.correlations for p in parts if p.correlations is not None), None),
        seconds=sum(part.seconds for part in parts),
    )


def chunk_samples(
    model: SpikingModel, samples: Tensors, points: Sequence[int], options: RunOptions
) -> int:
    """Return how many samples one chunk of a run holds: parts should end at its multiples."""
    return plan_chunks(model, samples, points[-1], options, len(points)).samples


class _Networks:
    """The ANN and the quantised ANN, loaded."""

    def __init__(self, model: SpikingModel, ann: onnx.ModelProto, T: int, threads: int) -> None:
        self._model = model
        self._timesteps = T
        samples = model_batch(model)
        self._layers = [s for s in sources(model) if s.quantum and s.spiking]
        self._threads = threads
        self._ann = AnnRun(ann, samples=samples, threads=threads)
        self._ptq = AnnRun(settle(model), samples=samples, threads=threads)
        self._clock: Tensors = {model.timesteps_input: np.asarray(T, dtype=np.int64)}

    def score(self, feeds: Tensors, trace: Trace, labels: NDArray[np.generic] | None) -> Scores:
        """Return the comparisons of one chunk."""
        ann = self._ann.run(feeds, self._model.outputs)
        ptq = self._ptq.run(feeds, self._model.outputs, self._clock)
        return Scores(
            ann=compare(ann, ann, labels),
            ptq=compare(ptq, ann, labels),
            snn={t: compare(outputs, ann, labels) for t, outputs in trace.outputs.items()},
            target={t: compare(outputs, ptq) for t, outputs in trace.outputs.items()},
        )

    def correlations(self, feeds: Tensors, trace: Trace) -> dict[str, float | None]:
        """Return by stream how the decoded values follow the quantised ANN's activations."""
        few = {name: values[:CORRELATION_SAMPLES] for name, values in feeds.items()}
        streams = [source.stream for source in self._layers]
        inside = settle(self._model, streams)  # loaded for this once
        run = AnnRun(inside, samples=model_batch(self._model), threads=self._threads)
        targets = run.run(few, streams, self._clock)
        return {
            source.stream: correlation(
                decoded(trace.layers[source.stream], source, self._model, self._timesteps)[
                    :CORRELATION_SAMPLES
                ],
                targets[source.stream],
            )
            for source in self._layers
        }


def _timed(items: Iterator[_Item]) -> Iterator[tuple[float, _Item]]:
    """Yield each item with the seconds it took to make."""
    while True:
        start = time.perf_counter()
        try:
            item = next(items)
        except StopIteration:
            return
        yield time.perf_counter() - start, item
        del item  # the next one may need its room

"""Running in chunks of timesteps with carried state: memory without T; samples may leave early.

Between two chunks a rule of early exit may say which samples are finished. They leave with their
states: the work of the following timesteps is that of the samples that are left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.derive.chunk import STEPS, to_chunk
from onnx2snn.ir.derive.record import SEGMENTS, Source, record, segments, sources
from onnx2snn.ir.derive.settle import shape_model, shape_name
from onnx2snn.ir.errors import InvariantError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors
from onnx2snn.ir.types import Array
from onnx2snn.runtime.backends import Backend
from onnx2snn.runtime.outcomes.trace import LayerTrace, Recording, Trace
from onnx2snn.runtime.runs.early_exit import EarlyExit
from onnx2snn.runtime.runs.head import Head


class ChunkedRun:
    """One call for each chunk of timesteps.

    Args:
        model: a model whose batch axis is free.
        backend: what runs it.
        recording: what to record.
        steps: timesteps of a chunk.
        early_exit: when a sample is finished; looked at after every chunk.
        sum_batch: whether events are summed over the samples.
        threads: 0 lets the backend decide.
    """

    def __init__(
        self,
        model: SpikingModel,
        backend: Backend,
        recording: Recording,
        *,
        steps: int,
        early_exit: EarlyExit | None = None,
        sum_batch: bool = True,
        threads: int = 0,
    ) -> None:
        self._model = model
        self._chunk = to_chunk(model)
        self._steps = steps
        self._early_exit = early_exit
        self._recorded = () if recording == "none" else sources(model)
        body = record(
            self._chunk.body,
            self._recorded,
            timesteps=STEPS,
            sum_batch=sum_batch,
            streams=recording == "spikes",
        )
        self._body = backend.load(body, threads=threads)
        self._head = Head(self._chunk.head, model.outputs, backend, threads)
        self._features: dict[str, tuple[int, ...]] | None = None

    def run(
        self, feeds: Mapping[str, NDArray[np.generic]], timesteps: int, at: Sequence[int]
    ) -> Trace:
        """Run T timesteps and return the outputs after each timestep of ``at``.

        With early exit the outputs of T are those of the timestep after which a sample left.
        """
        given = dict(feeds)
        samples = len(next(iter(given.values())))
        places = np.arange(samples)
        states = self._blank(given)
        kept = {s.stream: _Record(s, samples, timesteps, len(at)) for s in self._recorded}
        selected = segments(timesteps, at)
        outputs: dict[int, Tensors] = {}
        exits = np.full(samples, timesteps, dtype=np.int64)
        final: Tensors = {}
        for start in range(0, timesteps, self._steps):
            clock = np.arange(start + 1, min(start + self._steps, timesteps) + 1)
            inputs = {**given, self._chunk.clock: clock, **states}
            touched = _touched(selected[:, clock - 1])
            if self._recorded:
                inputs[SEGMENTS] = selected[touched, clock[0] - 1 : clock[-1]]
            results = self._body.run(inputs)
            states = {state.input: results[state.output] for state in self._chunk.states}
            for source in self._recorded:
                kept[source.stream].add(results, clock, places, touched)
            if self._early_exit is None:
                wanted = [int(t) for t in clock if t in at]
                outputs |= {t: self._outputs(results, t - start, given, clock) for t in wanted}
                del results  # its records are added up: the next chunk needs the room
                continue
            now = self._outputs(results, len(clock), given, clock)
            last = clock[-1] == timesteps
            leaving = np.ones(len(places), bool) if last else self._early_exit.leaving(now)
            _put(final, now, places, leaving, samples)
            exits[places[leaving]] = clock[-1]
            if leaving.all():
                break
            places = places[~leaving]
            given, states = _left(given, ~leaving), _left(states, ~leaving)
        layers = {stream: kept_one.trace() for stream, kept_one in kept.items()}
        if self._early_exit is None:
            return Trace(outputs, layers)
        return Trace({timesteps: final}, layers, exits)

    def _outputs(
        self, results: Tensors, k: int, feeds: Tensors, clock: NDArray[np.int64]
    ) -> Tensors:
        """Return the ANN's outputs after the kth timestep of a chunk."""
        values = {name: np.split(results[name], len(clock))[k - 1] for name in self._chunk.values}
        return self._head.outputs(values, feeds)

    def _blank(self, feeds: Tensors) -> Tensors:
        """Return the states before the first timestep: zeros, for the batch of ``feeds``."""
        states = self._chunk.states
        if not states:
            return {}
        if self._features is None:
            shapes = Session(shape_model(self._model, [s.like for s in states])).run(
                {name: values[:1] for name, values in feeds.items()}
            )
            self._features = {
                state.input: tuple(shapes[shape_name(state.like)].tolist()[1:]) for state in states
            }
        batch = len(next(iter(feeds.values())))
        return {
            name: np.zeros((batch, *features), dtype=np.float32)
            for name, features in self._features.items()
        }


def _touched(selected: Array) -> slice:
    """Return the segments that a chunk of timesteps lies in; the first one if it lies in none."""
    rows = np.flatnonzero(selected.any(axis=1))
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 1)


def _left(tensors: Tensors, staying: NDArray[np.bool_]) -> Tensors:
    return {name: values[staying] for name, values in tensors.items()}


def _put(
    final: Tensors,
    now: Tensors,
    places: NDArray[np.int64],
    leaving: NDArray[np.bool_],
    samples: int,
) -> None:
    """Write the outputs of the samples that leave to their places."""
    for name, values in now.items():
        if name not in final:
            final[name] = np.zeros((samples, *values.shape[1:]), dtype=values.dtype)
        final[name][places[leaving]] = values[leaving]


class _Record:
    """The records of one layer, growing by one chunk at a time."""

    def __init__(self, source: Source, samples: int, timesteps: int, points: int) -> None:
        self._source = source
        self._samples = samples
        self._points = points
        self._maps: Array | None = None
        self._events: Array = np.zeros((timesteps, samples), dtype=np.float32)
        self._negative: Array = np.zeros((timesteps, samples), dtype=np.float32)
        self._count: Array | None = None
        self._spikes: Array | None = None

    def add(
        self,
        results: Tensors,
        clock: NDArray[np.int64],
        places: NDArray[np.int64],
        touched: slice,
    ) -> None:
        """Add what the samples at ``places`` emitted in the timesteps of ``clock``.

        Its events are by segment, of those ``touched``.
        """
        source = self._source
        maps, events, negative, count = (
            np.asarray(results[name], dtype=np.float32) for name in source.outputs
        )
        if self._maps is None or self._count is None:
            batch = 1 if maps.shape[1] == 1 else self._samples
            self._maps = np.zeros((self._points, batch, *maps.shape[2:]), dtype=np.float32)
            self._count = np.zeros((self._samples, *count.shape[1:]), dtype=np.float32)
        self._maps[touched, slice(None) if maps.shape[1] == 1 else places] += maps
        rows = clock - 1
        self._events[np.ix_(rows, places)] = events
        self._negative[np.ix_(rows, places)] = negative
        self._count[places] += count
        if source.stream in results:
            stream = np.asarray(results[source.stream], dtype=np.float32)
            emitted = stream.reshape(len(clock), len(places), *stream.shape[1:])
            if self._spikes is None:
                shape = (len(self._events), self._samples, *stream.shape[1:])
                self._spikes = np.zeros(shape, dtype=np.float32)
            self._spikes[np.ix_(rows, places)] = emitted

    def trace(self) -> LayerTrace:
        """Return everything added so far."""
        if self._maps is None or self._count is None:
            raise InvariantError("a trace was asked for before the first timestep")
        return LayerTrace(
            maps=self._maps,
            events=self._events,
            negative=self._negative,
            count=self._count,
            spikes=self._spikes,
        )

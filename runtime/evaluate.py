"""Evaluate: a spiking network against its ANN on the same samples, from one spiking run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.derive.record import sources
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.account import Account, account_for
from onnx2snn.runtime.activity import (
    LayerActivity,
    add_activity,
    correlation,
    decoded,
    measure_activity,
    silent_at,
    upper_bounds,
)
from onnx2snn.runtime.ann_run import AnnRun
from onnx2snn.runtime.chunks import Samples, check_samples, fixed_batch, padded
from onnx2snn.runtime.early_exit import EarlyExit
from onnx2snn.runtime.energy import ENERGY_TABLES, EnergyTable
from onnx2snn.runtime.exit_account import early_exit_row
from onnx2snn.runtime.macs import macs_per_sample
from onnx2snn.runtime.results import AnnRow, CurvePoint, Evaluation, PtqRow
from onnx2snn.runtime.scores import Score, compare
from onnx2snn.runtime.spiking_run import Progress, RunOptions, model_batch, run_chunks
from onnx2snn.runtime.trace import Trace

TIMESTEPS = (1, 2, 4, 8, 16, 32, 64)
CORRELATION_SAMPLES = 8

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class _Scores:
    """Comparisons summed over samples: ANN and PTQ and every T with the ANN; every T with PTQ."""

    ann: Score
    ptq: Score
    snn: Mapping[int, Score]
    target: Mapping[int, Score]

    def __add__(self, other: _Scores) -> _Scores:
        return _Scores(
            ann=self.ann + other.ann,
            ptq=self.ptq + other.ptq,
            snn={t: score + other.snn[t] for t, score in self.snn.items()},
            target={t: score + other.target[t] for t, score in self.target.items()},
        )


def evaluate(
    model: SpikingModel,
    ann: onnx.ModelProto,
    data: Samples,
    labels: NDArray[np.generic] | None = None,
    *,
    timesteps: int | Sequence[int] = TIMESTEPS,
    early_exit: EarlyExit | None = None,
    backend: str = "onnxruntime",
    memory: str | int = "2GiB",
    threads: int = 0,
    progress: Progress | None = None,
    tables: tuple[EnergyTable, ...] = ENERGY_TABLES,
) -> Evaluation:
    """Evaluate a spiking network against its ANN.

    Args:
        model: the spiking network.
        ann: the network it was made from.
        data: one array [N, *F] per input by name; an array for a lone input.
        labels: class numbers [N], if known.
        timesteps: points of the curve; a single T stands for 1, 2, 4 ... up to T.
        early_exit: a rule to run the samples with once more; see :func:`tune_early_exit`.
        backend: what runs the spiking network.
        memory: budget for one call.
        threads: 0 lets the backend decide.
        progress: called with the samples done and their number.
        tables: energies per operation to estimate with.

    Raises:
        SimulationError: the simulation cannot run as asked.
        DataError: the samples do not fit the model.
    """
    samples = check_samples(model, data)
    points = curve_points(timesteps)
    T = points[-1]
    options = RunOptions(backend, memory, threads, "counts")
    networks = _Networks(model, ann, T, threads)
    scores: _Scores | None = None
    activity: Mapping[str, LayerActivity] = {}
    correlations: Mapping[str, float | None] | None = None
    seconds = 0.0
    for took, (place, feeds, trace) in _timed(
        run_chunks(model, samples, T, points, options, progress)
    ):
        seconds += took
        seen = networks.score(feeds, trace, None if labels is None else labels[place])
        scores = seen if scores is None else scores + seen
        measured = measure_activity(trace.layers, upper_bounds(model, T), model_batch(model))
        activity = add_activity(activity, measured)
        if correlations is None:
            correlations = networks.correlations(feeds, trace)
    if scores is None:
        raise SimulationError("there are no samples", remedy="hand in at least one sample")
    account = account_for(
        model,
        activity,
        correlations or {},
        points,
        scores.ann.samples,
        first_samples(model, samples),
    )
    macs = macs_per_sample(ann, *_ann_samples(ann, samples))
    evaluation = _evaluation(model, scores, account, macs, points, backend, seconds, tables)
    if early_exit is None:
        return evaluation
    early = replace(options, early_exit=early_exit)
    row = early_exit_row(model, ann, samples, labels, T, early, progress)
    return evaluation.model_copy(update={"early_exit": row})


def curve_points(timesteps: int | Sequence[int]) -> tuple[int, ...]:
    """Return the points of the curve: as given, or 1, 2, 4 ... 64 up to a single T, and T.

    Raises:
        SimulationError: there are none, or one is below 1.
    """
    if isinstance(timesteps, int):
        points = {t for t in TIMESTEPS if t < timesteps} | {timesteps}
    else:
        points = set(timesteps)
    if not points or min(points) < 1:
        raise SimulationError(
            f"cannot evaluate at timesteps {sorted(points)}", remedy="ask for T >= 1"
        )
    return tuple(sorted(points))


def first_samples(model: SpikingModel, samples: Tensors) -> Tensors:
    """Return the smallest batch the model takes, of the first samples."""
    batch = model_batch(model) or 1
    return padded({name: values[:batch] for name, values in samples.items()}, batch)


def _ann_samples(ann: onnx.ModelProto, samples: Tensors) -> tuple[Tensors, int]:
    batch = fixed_batch(ann.graph) or 1
    names = {item.name for item in ann.graph.input}
    first = {name: values[:batch] for name, values in samples.items() if name in names}
    return padded(first, batch), batch


class _Networks:
    """The ANN and the quantised ANN, loaded once."""

    def __init__(self, model: SpikingModel, ann: onnx.ModelProto, T: int, threads: int) -> None:
        self._model = model
        self._timesteps = T
        samples = model_batch(model)
        self._layers = [s for s in sources(model) if s.quantum and s.spiking]
        streams = [source.stream for source in self._layers]
        self._ann = AnnRun(ann, samples=samples, threads=threads)
        self._ptq = AnnRun(settle(model), samples=samples, threads=threads)
        self._inside = AnnRun(settle(model, streams), samples=samples, threads=threads)
        self._clock: Tensors = {model.timesteps_input: np.asarray(T, dtype=np.int64)}

    def score(self, feeds: Tensors, trace: Trace, labels: NDArray[np.generic] | None) -> _Scores:
        """Return the comparisons of one chunk."""
        ann = self._ann.run(feeds, self._model.outputs)
        ptq = self._ptq.run(feeds, self._model.outputs, self._clock)
        return _Scores(
            ann=compare(ann, ann, labels),
            ptq=compare(ptq, ann, labels),
            snn={t: compare(outputs, ann, labels) for t, outputs in trace.outputs.items()},
            target={t: compare(outputs, ptq) for t, outputs in trace.outputs.items()},
        )

    def correlations(self, feeds: Tensors, trace: Trace) -> dict[str, float | None]:
        """Return by stream how the decoded values follow the quantised ANN's activations."""
        few = {name: values[:CORRELATION_SAMPLES] for name, values in feeds.items()}
        targets = self._inside.run(few, [source.stream for source in self._layers], self._clock)
        return {
            source.stream: correlation(
                decoded(trace.layers[source.stream], source, self._model, self._timesteps)[
                    :CORRELATION_SAMPLES
                ],
                targets[source.stream],
            )
            for source in self._layers
        }


def _evaluation(
    model: SpikingModel,
    scores: _Scores,
    account: Account,
    macs: float,
    points: Sequence[int],
    backend: str,
    seconds: float,
    tables: tuple[EnergyTable, ...],
) -> Evaluation:
    manifest = model.manifest
    T = points[-1]
    calibration = manifest.calibration
    return Evaluation(
        model=manifest.source.name,
        preset=manifest.preset,
        alphabet=manifest.alphabet,
        digits=manifest.digits,
        timesteps=T,
        stimulus_steps=model.stimulus_steps(T),
        input_coding=manifest.input_coding,
        read_out=manifest.read_out,
        calibration=f"{calibration.kind}, {calibration.samples} samples",
        backend=backend,
        samples=scores.ann.samples,
        neurons=account.neurons,
        ann=AnnRow(accuracy=scores.ann.accuracy, samples=scores.ann.samples, macs_per_sample=macs),
        ptq=PtqRow(
            accuracy=scores.ptq.accuracy,
            agreement=scores.ptq.agreement,
            relative_error=scores.ptq.relative_error,
        ),
        curve=tuple(_point(t, scores, account, macs, tables) for t in points),
        silent_at=silent_at(account.spiking, T),
        analog_ops=manifest.analog_ops,
        energy=account.energy(T, macs, tables),
        layers=account.layers,
        seconds=seconds,
    )


def _point(
    t: int, scores: _Scores, account: Account, macs: float, tables: tuple[EnergyTable, ...]
) -> CurvePoint:
    events = account.events_per_sample(t)
    return CurvePoint(
        timesteps=t,
        accuracy=scores.snn[t].accuracy,
        agreement=scores.snn[t].agreement,
        ptq_agreement=scores.target[t].agreement,
        relative_error=scores.snn[t].relative_error,
        cosine=scores.snn[t].mean_cosine,
        events_per_neuron=events / account.neurons if account.neurons else 0.0,
        events_per_sample=events,
        synaptic_operations=account.synaptic_operations[t],
        energy_joules={e.name: e.snn for e in account.energy(t, macs, tables)},
    )


def _timed(items: Iterator[_Item]) -> Iterator[tuple[float, _Item]]:
    """Yield each item with the seconds it took to make."""
    while True:
        start = time.perf_counter()
        try:
            item = next(items)
        except StopIteration:
            return
        yield time.perf_counter() - start, item

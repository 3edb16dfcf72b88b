"""Evaluate: a spiking network against its ANN on the same samples, from one spiking run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel, stored_model
from onnx2snn.ir.session import Tensors
from onnx2snn.ir.stored_weights import WeightFile
from onnx2snn.runtime.backends.choice import AUTO, chosen
from onnx2snn.runtime.backends.event import weights_of
from onnx2snn.runtime.evaluation.account import Account, account_for
from onnx2snn.runtime.evaluation.energy import ENERGY_TABLES, EnergyTable
from onnx2snn.runtime.evaluation.exit_account import early_exit_row
from onnx2snn.runtime.evaluation.macs import macs_per_sample
from onnx2snn.runtime.evaluation.measure import Measured, Scores, measure
from onnx2snn.runtime.evaluation.results import AnnRow, CurvePoint, Evaluation, PtqRow
from onnx2snn.runtime.outcomes.activity import silent_at
from onnx2snn.runtime.runs.chunks import Samples, check_samples, fixed_batch, padded
from onnx2snn.runtime.runs.early_exit import EarlyExit
from onnx2snn.runtime.runs.spiking_run import Progress, RunOptions, model_batch

TIMESTEPS = (1, 2, 4, 8, 16, 32, 64)


def evaluate(
    model: SpikingModel,
    ann: onnx.ModelProto,
    data: Samples,
    labels: NDArray[np.generic] | None = None,
    *,
    timesteps: int | Sequence[int] = TIMESTEPS,
    early_exit: EarlyExit | None = None,
    backend: str = AUTO,
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
        backend: what runs the spiking network; ``auto`` picks it (``backends/choice.py``).
        memory: budget for one call.
        threads: 0 lets the backend decide.
        progress: called with the samples done and their number.
        tables: energies per operation to estimate with.

    Raises:
        SimulationError: the simulation cannot run as asked.
        DataError: the samples do not fit the model.
    """
    weights = WeightFile()  # gone when this function is left
    model, ann = stored_model(model, weights), weights.store(ann)
    samples = check_samples(model, data)
    points = curve_points(timesteps)
    backend = chosen(backend, model, "counts")
    options = RunOptions(backend, memory, threads, "counts")
    measured = measure(model, ann, samples, labels, points, options, progress)
    evaluation = account_of(model, ann, samples, measured, points, backend, tables)
    if early_exit is None:
        return evaluation
    early = replace(options, early_exit=early_exit)
    row = early_exit_row(model, ann, samples, labels, points[-1], early, progress)
    return evaluation.model_copy(update={"early_exit": row})


def account_of(
    model: SpikingModel,
    ann: onnx.ModelProto,
    samples: Tensors,
    measured: Measured,
    points: Sequence[int],
    backend: str,
    tables: tuple[EnergyTable, ...] = ENERGY_TABLES,
) -> Evaluation:
    """Return the account of what has been measured.

    Args:
        model: the spiking network.
        ann: the network it was made from.
        samples: the first samples suffice.
        measured: what the runs came to.
        points: timesteps of the curve, ascending.
        backend: what ran the spiking network.
        tables: energies per operation to estimate with.
    """
    account = account_for(
        model,
        measured.activity,
        measured.correlations or {},
        points,
        measured.scores.ann.samples,
        first_samples(model, samples),
    )
    macs = macs_per_sample(ann, *_ann_samples(ann, samples))
    return _evaluation(model, measured, account, macs, points, backend, tables)


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


def _evaluation(
    model: SpikingModel,
    measured: Measured,
    account: Account,
    macs: float,
    points: Sequence[int],
    backend: str,
    tables: tuple[EnergyTable, ...],
) -> Evaluation:
    scores = measured.scores
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
        weights=weights_of(backend),
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
        seconds=measured.seconds,
    )


def _point(
    t: int, scores: Scores, account: Account, macs: float, tables: tuple[EnergyTable, ...]
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

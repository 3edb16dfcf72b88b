"""Running a spiking model over any number of samples, inside a memory budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from onnx2snn.ir.derive.record import sources
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel, stored_model
from onnx2snn.ir.session import Tensors
from onnx2snn.ir.stored_weights import WeightFile
from onnx2snn.runtime.backends import Backend, find_backend
from onnx2snn.runtime.backends.choice import AUTO, chosen
from onnx2snn.runtime.outcomes.trace import LayerTrace, Recording, Run, Trace
from onnx2snn.runtime.runs.chunked_run import ChunkedRun
from onnx2snn.runtime.runs.chunks import chunk, fixed_batch, padded
from onnx2snn.runtime.runs.early_exit import EarlyExit
from onnx2snn.runtime.runs.folded_run import FoldedRun
from onnx2snn.runtime.runs.memory import Plan, measure_footprint, parse_memory, plan_run
from onnx2snn.runtime.runs.stepped_run import SteppedRun

Progress = Callable[[int, int], None]
"""Called with the samples done and their number."""


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        backend: name of the backend; ``auto`` picks one (``backends/choice.py``).
        memory: budget, e.g. ``2GiB``.
        threads: 0 lets the backend decide.
        recording: what to record.
        early_exit: when a sample is finished; None runs all timesteps.
    """

    backend: str = AUTO
    memory: str | int = "2GiB"
    threads: int = 0
    recording: Recording = "none"
    early_exit: EarlyExit | None = None


def run_chunks(
    model: SpikingModel,
    data: Tensors,
    timesteps: int,
    at: Sequence[int],
    options: RunOptions,
    progress: Progress | None = None,
) -> Iterator[tuple[slice, Tensors, Trace]]:
    """Yield place, samples and trace of every chunk.

    Args:
        model: the spiking model.
        data: samples by input name, [N, *F].
        timesteps: T.
        at: timesteps whose outputs are wanted, each in 1..T.
        options: how to run.
        progress: called after every chunk.

    Raises:
        SimulationError: T is not positive, the backend is unknown or the budget too small.
    """
    if timesteps < 1:
        raise SimulationError(
            f"{timesteps} timesteps cannot be run", remedy="ask for at least one timestep"
        )
    backend = find_backend(chosen(options.backend, model, options.recording))
    weights = WeightFile()  # gone with this generator
    model = stored_model(model, weights)
    batch = model_batch(model)
    if options.early_exit is not None and batch is not None:
        raise SimulationError(
            f"no sample can leave a batch of the fixed size {batch}",
            remedy="run without early exit, or convert a network whose batch axis is free",
        )
    plan = plan_chunks(model, data, timesteps, options, len(at))
    run = _run_of(model, backend, plan, timesteps, options)
    total = len(next(iter(data.values())))
    for place, feeds in chunk(data, plan.samples):
        real = place.stop - place.start
        if batch is not None and real < batch:
            trace = run.run(padded(feeds, batch), timesteps, at)
            trace = _first(trace, real)
        else:
            trace = run.run(feeds, timesteps, at)
        yield place, feeds, trace
        del trace  # the next chunk needs the room
        if progress is not None:
            progress(place.stop, total)


def _run_of(
    model: SpikingModel, backend: Backend, plan: Plan, timesteps: int, options: RunOptions
) -> Run:
    """Return what runs a plan: in one piece, in chunks of timesteps, or step by step."""
    free = model_batch(model) is None
    threads = options.threads
    if model.manifest.layout == "scan":
        return SteppedRun(model, backend, options.recording, sum_batch=free, threads=threads)
    if plan.steps >= timesteps and options.early_exit is None:
        return FoldedRun(model, backend, options.recording, sum_batch=free, threads=threads)
    return ChunkedRun(
        model,
        backend,
        options.recording,
        steps=plan.steps,
        early_exit=options.early_exit,
        sum_batch=free,
        threads=threads,
    )


def plan_chunks(
    model: SpikingModel, data: Tensors, timesteps: int, options: RunOptions, points: int = 1
) -> Plan:
    """Return how a run with outputs at a number of points is split."""
    batch = model_batch(model)
    sample = {name: values[: batch or 1] for name, values in data.items()}
    if batch is not None:
        sample = padded(sample, batch)
    recorded = [] if options.recording == "none" else [s.stream for s in sources(model)]
    return plan_run(
        measure_footprint(model, sample, batch or 1, recorded),
        timesteps,
        parse_memory(options.memory),
        maps=points if recorded else 0,
        fixed_batch=batch,
        foldable=model.manifest.layout == "folded",
        steps=None if options.early_exit is None else options.early_exit.every,
    )


def model_batch(model: SpikingModel) -> int | None:
    """Return the only batch size to run a model at; None if any will do.

    A model in the scan layout may mix samples of a batch: it gets one sample at a time, unless
    its inputs declare another size.
    """
    declared = fixed_batch(model.light.graph)
    return declared or (1 if model.manifest.layout == "scan" else None)


def _first(trace: Trace, samples: int) -> Trace:
    """Return the trace of the first samples of a padded batch; its events are per sample."""
    outputs = {
        t: {name: values[:samples] for name, values in tensors.items()}
        for t, tensors in trace.outputs.items()
    }
    layers = {
        name: LayerTrace(
            maps=layer.maps[:, :samples],
            events=layer.events[:, :samples],
            negative=layer.negative[:, :samples],
            count=layer.count[:samples],
            spikes=None if layer.spikes is None else layer.spikes[:, :samples],
        )
        for name, layer in trace.layers.items()
    }
    return Trace(outputs, layers, trace.exits)

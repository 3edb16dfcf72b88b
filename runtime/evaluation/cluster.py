"""Evaluate on a Dask cluster: parts of the data set are measured wherever there is room.

A part is a run of samples that ends where a chunk of a single run would end, so the joined account
equals that of one run (``measure``). Workers need onnx2snn of the same version, and
no files: networks and samples are sent, and what comes back are counts. Needs ``[cluster]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.ir.stored_weights import whole
from onnx2snn.runtime.backends.choice import AUTO, FALLBACK
from onnx2snn.runtime.evaluation.energy import ENERGY_TABLES, EnergyTable
from onnx2snn.runtime.evaluation.evaluate import TIMESTEPS, account_of, curve_points
from onnx2snn.runtime.evaluation.measure import chunk_samples, join, measure
from onnx2snn.runtime.evaluation.measured_arrays import from_arrays, to_arrays
from onnx2snn.runtime.evaluation.results import Evaluation
from onnx2snn.runtime.runs.chunks import Samples, check_samples
from onnx2snn.runtime.runs.early_exit import EarlyExit
from onnx2snn.runtime.runs.spiking_run import Progress, RunOptions

PARTS_PER_WORKER = 4
"""Parts each worker gets if all are as fast as one another."""

IN_FLIGHT_PER_WORKER = 2
"""Parts whose samples have been sent and not yet been answered."""


def evaluate_on_cluster(
    address: str,
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
    """Evaluate a spiking network against its ANN on the workers of a Dask scheduler.

    Args:
        address: of the scheduler, e.g. ``tcp://10.0.0.1:8786``.
        model: the spiking network.
        ann: the network it was made from.
        data: one array [N, *F] per input by name; an array for a lone input.
        labels: class numbers [N], if known.
        timesteps: points of the curve; a single T stands for 1, 2, 4 ... up to T.
        early_exit: must be None.
        backend: what runs the spiking network; ``auto`` is onnxruntime here, because all parts must
            run alike and not every worker need have the compiled engine.
        memory: budget for one call, on each worker.
        threads: of each call; 0 lets the backend decide.
        progress: called with the samples done and their number.
        tables: energies per operation to estimate with.

    Raises:
        SimulationError: Dask is not installed, no scheduler answers, a worker failed, or early exit
            is asked for.
        DataError: the samples do not fit the model.
    """
    if early_exit is not None:
        raise SimulationError(
            "early exit is not measured on a cluster", remedy="leave out one of the two"
        )
    backend = FALLBACK if backend == AUTO else backend
    samples = check_samples(model, data)
    points = curve_points(timesteps)
    options = RunOptions(backend, memory, threads, "counts")
    chunk = chunk_samples(model, samples, points, options)
    total = len(next(iter(samples.values())))
    with connect(address) as client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        places = parts(total, chunk, PARTS_PER_WORKER * max(1, workers))
        both = (model.to_bytes(), whole(ann).SerializeToString())
        (networks,) = client.scatter([both], broadcast=True)
        jobs = (
            (networks, _slice(samples, place), None if labels is None else labels[place],
             points, options, place.start == 0)
            for place in places
        )  # fmt: skip
        answers: dict[int, dict[str, NDArray[np.generic]]] = {}
        done = 0
        for index, answer in _run(client, jobs, IN_FLIGHT_PER_WORKER * max(1, workers)):
            answers[index] = answer
            done += places[index].stop - places[index].start
            if progress is not None:
                progress(done, total)
    measured = join([from_arrays(answers[index]) for index in range(len(places))])
    return account_of(model, ann, samples, measured, points, backend, tables)


def connect(address: str) -> Any:
    """Return a client of a Dask scheduler.

    Raises:
        SimulationError: Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise SimulationError(
            "evaluation on a cluster needs Dask",
            remedy="pip install 'onnx2snn[cluster]'",
        ) from error
    try:
        return Client(address, timeout=20, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SimulationError(
            f"no Dask scheduler answers at {address}: {str(error)[:200]}",
            remedy="start one: dask scheduler; dask worker ADDRESS",
        ) from error


def parts(total: int, chunk: int, wanted: int) -> list[slice]:
    """Return at most ``wanted`` runs of samples, each of whole chunks but for the last."""
    chunks = -(-total // chunk)
    size = -(-chunks // max(1, wanted)) * chunk
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]


def measure_part(
    networks: tuple[bytes, bytes],
    samples: Tensors,
    labels: NDArray[np.generic] | None,
    points: Sequence[int],
    options: RunOptions,
    first: bool,
) -> dict[str, NDArray[np.generic]]:
    """Measure one part; runs on a worker."""
    model = SpikingModel.from_bytes(networks[0])
    ann = onnx.ModelProto.FromString(networks[1])
    return to_arrays(measure(model, ann, samples, labels, points, options, correlate=first))


def _slice(samples: Tensors, place: slice) -> Mapping[str, NDArray[np.generic]]:
    return {name: values[place] for name, values in samples.items()}


def _run(
    client: Any, jobs: Iterator[tuple[Any, ...]], most: int
) -> Iterator[tuple[int, dict[str, NDArray[np.generic]]]]:
    """Yield number and answer of every part as they come, with few on their way at once."""
    from distributed import as_completed

    numbered = enumerate(jobs)
    running: dict[Any, int] = {}
    finished = as_completed(loop=client.loop)

    def send() -> None:
        following = next(numbered, None)
        if following is not None:
            index, (networks, samples, *rest) = following
            (sent,) = client.scatter([samples], hash=False)  # a bare dict would be taken apart
            future = client.submit(measure_part, networks, sent, *rest, pure=False)
            running[future] = index
            finished.add(future)

    for _ in range(most):
        send()
    for future in finished:
        yield running.pop(future), _answer(future)
        send()


def _answer(future: Any) -> dict[str, NDArray[np.generic]]:
    from distributed import KilledWorker

    try:
        answer: dict[str, NDArray[np.generic]] = future.result()
    except KilledWorker as error:
        raise SimulationError(
            "the workers that measured a part were killed",
            remedy="give them more memory, or less to --memory",
        ) from error
    return answer

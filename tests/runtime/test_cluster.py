"""Parts of a data set measured apart, here and on a Dask cluster of other processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnx2snn.cli.app import build_app
from onnx2snn.converter import convert
from onnx2snn.ir.errors import DataError, SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime.evaluation.cluster import evaluate_on_cluster, parts
from onnx2snn.runtime.evaluation.evaluate import account_of, evaluate
from onnx2snn.runtime.evaluation.measure import chunk_samples, join, measure
from onnx2snn.runtime.evaluation.measured_arrays import from_arrays, to_arrays
from onnx2snn.runtime.evaluation.results import Evaluation
from onnx2snn.runtime.runs.spiking_run import RunOptions

DEMO = Path(__file__).resolve().parents[2] / "cli" / "demo_data"
POINTS = (1, 2, 4)
MEMORY = 2**22
"""So little that there are many chunks."""

OPTIONS = RunOptions(memory=MEMORY, recording="counts", threads=1)


@pytest.fixture(scope="module")
def nets() -> tuple[SpikingModel, onnx.ModelProto]:
    with np.load(DEMO / "digits_calibration.npz") as data:
        model, _ = convert(DEMO / "digits_cnn.onnx", calibration=data["image"])
    return model, onnx.load(DEMO / "digits_cnn.onnx")


@pytest.fixture(scope="module")
def samples() -> tuple[Tensors, np.ndarray]:
    with np.load(DEMO / "digits.npz") as data:
        return {"image": data["image"]}, data["labels"].astype(np.int64)


def timeless(evaluation: Evaluation) -> dict[str, object]:
    """Everything but the time it took."""
    return evaluation.model_dump(exclude={"seconds"})


def test_parts_are_whole_chunks_and_all_samples() -> None:
    for total, chunk, wanted in ((1, 1, 1), (540, 7, 4), (8, 16, 4), (1000, 10, 3), (5, 1, 100)):
        cut = parts(total, chunk, wanted)
        assert [i for place in cut for i in range(place.start, place.stop)] == list(range(total))
        assert len(cut) <= wanted
        assert all(place.start % chunk == 0 for place in cut)


def test_joined_parts_are_the_whole(
    nets: tuple[SpikingModel, onnx.ModelProto], samples: tuple[Tensors, np.ndarray]
) -> None:
    model, ann = nets
    arrays, labels = samples
    whole = evaluate(model, ann, arrays, labels, timesteps=POINTS, memory=MEMORY, threads=1)
    chunk = chunk_samples(model, arrays, POINTS, OPTIONS)
    places = parts(len(labels), chunk, 3)
    assert chunk < 60
    assert len(places) == 3
    measured = [
        from_arrays(
            to_arrays(
                measure(
                    model, ann, {"image": arrays["image"][place]}, labels[place], POINTS, OPTIONS,
                    correlate=place.start == 0,
                )
            )
        )
        for place in places
    ]  # fmt: skip
    joined = account_of(model, ann, arrays, join(measured), POINTS, whole.backend)
    assert timeless(joined) == timeless(whole)


def test_what_is_no_measurement_is_refused() -> None:
    with pytest.raises(DataError, match="no measurement"):
        from_arrays({"points": np.array([1])})
    with pytest.raises(SimulationError, match="no parts"):
        join([])


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A scheduler with two workers, each a process of its own."""
    distributed = pytest.importorskip("distributed", reason="needs onnx2snn[cluster]")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    yield str(cluster.scheduler_address)
    cluster.close()


@pytest.mark.filterwarnings("ignore")  # what Dask and its event loops warn of is not ours
def test_a_cluster_gives_the_same(
    scheduler: str,
    nets: tuple[SpikingModel, onnx.ModelProto],
    samples: tuple[Tensors, np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, ann = nets
    snn = model.save(tmp_path / "digits.snn.onnx")
    arrays, labels = samples
    told: list[tuple[int, int]] = []
    options = {"timesteps": POINTS, "memory": MEMORY, "threads": 1}
    there = evaluate_on_cluster(
        scheduler, model, ann, arrays, labels,
        progress=lambda done, total: told.append((done, total)), **options,
    )  # fmt: skip
    here = evaluate(model, ann, arrays, labels, backend="onnxruntime", **options)  # as auto there
    assert timeless(there) == timeless(here)
    assert told[-1] == (540, 540)
    assert len(told) > 2
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        build_app()(
            [*("evaluate", str(snn), "--ann", str(DEMO / "digits_cnn.onnx"), "--json"),
             *("--data", str(DEMO / "digits.npz"), "--timesteps", "1,2,4", "--threads", "1"),
             *("--memory", "4MiB", "--cluster", scheduler)],
        )  # fmt: skip
    assert not ended.value.code
    assert timeless(Evaluation.model_validate_json(capsys.readouterr().out)) == timeless(here)
    with pytest.raises(SimulationError):
        evaluate_on_cluster(scheduler, model, ann, arrays, labels, backend="nonsense", **options)


def test_no_scheduler_is_told(
    nets: tuple[SpikingModel, onnx.ModelProto], samples: tuple[Tensors, np.ndarray]
) -> None:
    pytest.importorskip("distributed", reason="needs onnx2snn[cluster]")
    with pytest.raises(SimulationError, match="no Dask scheduler"):
        evaluate_on_cluster("nonsense://x", *nets, *samples, timesteps=1)

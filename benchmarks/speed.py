"""How fast the backends are against limit A: T runs of the plain ANN in onnxruntime.

    python benchmarks/speed.py NET.onnx NET.snn.onnx [--data SAMPLES.npz] [--batch 1 32] [-T 8 32]

Every row is measured in one process by turns (A, stock, compiled, event, A, ...), as ratios to the
A of the same turn, so that other work on the machine hits all of them alike. Printed are the
median ratio (above 1: faster than A), its quartiles, the rate of spikes, the largest difference of
the outputs from those of the function bodies, and the peak memory of the process so far.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors
from onnx2snn.runtime.engine.lowering import lower
from onnx2snn.runtime.native.library import custom_ops_path, instruction_set, why_not_built
from onnx2snn.runtime.simulate import simulate

Run = Callable[[], Tensors]


@dataclass(frozen=True)
class Contest:
    """One net at one batch size and T: the runs to compare, A first."""

    title: str
    runs: dict[str, Run]


def contest(
    ann: onnx.ModelProto, model: SpikingModel, x: np.ndarray, steps: int, th: int
) -> Contest:
    """Load all ways to run one net."""
    name, plain = model.inputs[0], Session(ann, threads=th)
    feeds = {name: x, model.timesteps_input: np.array(steps, np.int64)}
    stock = Session(model.plain, threads=th)
    compiled = Session(model.plain, threads=th, library=custom_ops_path())
    event = Session(lower(model.plain), threads=th, library=custom_ops_path())

    def limit() -> Tensors:
        return [plain.run({name: x}) for _ in range(steps)][-1]

    runs: dict[str, Run] = {
        "A": limit,
        "bodies": lambda: stock.run(feeds),
        "compiled": lambda: compiled.run(feeds),
        "event": lambda: event.run(feeds),
    }
    return Contest(f"{len(x):5d} {steps:4d}", runs)


def measure(it: Contest, turns: int, clock: Callable[[], float]) -> dict[str, np.ndarray]:
    """Return by run the ratios A / run of every turn."""
    for run in it.runs.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in it.runs}
    for _ in range(turns):
        for name, run in it.runs.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    limit = np.array(seconds["A"])
    return {name: limit / np.array(spent) for name, spent in seconds.items()}


def samples(model: SpikingModel, path: Path | None, count: int) -> np.ndarray:
    """Return samples from a file, or noise where there is none."""
    name = model.inputs[0]
    if path is not None:
        found: np.ndarray = np.load(path)[name]
        return found[np.arange(count) % len(found)]
    dims = model.proto.graph.input[0].type.tensor_type.shape.dim
    shape = (count, *(dim.dim_value for dim in list(dims)[1:]))
    return np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)


def rate(model: SpikingModel, x: np.ndarray, steps: int) -> float:
    """Return events per neuron and timestep, without the encoder."""
    layers = list(simulate(model, x[:4], timesteps=steps, record="counts").layers.values())[1:]
    events = sum(layer.events.sum() for layer in layers)
    return float(events / max(1, steps * sum(layer.counts.size for layer in layers)))


def peak_mib() -> int:
    """Return the peak resident memory of this process."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


def row(it: Contest, ratios: dict[str, np.ndarray], fired: float) -> str:
    """Return one row of the table."""
    expected = it.runs["bodies"]()
    given = it.runs["event"]()
    pairs = [(np.asarray(given[name], float), np.asarray(expected[name], float)) for name in given]
    off = max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)
    cells = [f"{it.title} {fired:6.3f}"]
    for name in ("bodies", "compiled", "event"):
        low, middle, high = np.percentile(ratios[name], [25, 50, 75])
        cells.append(f"{middle:6.2f} ({low:.2f}-{high:.2f})")
    return "  ".join([*cells, f"{off:9.2g}", f"{peak_mib():6d}"])


def main() -> None:
    """Print the table of one net."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ann", type=Path)
    parser.add_argument("snn", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("-T", "--timesteps", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--cpu-time", action="store_true", help="for a machine with other work")
    told = parser.parse_args()
    if why_not_built():
        parser.error(why_not_built())
    ann, model = onnx.load(told.ann), SpikingModel.load(told.snn)
    clock = time.process_time if told.cpu_time else time.perf_counter
    print(f"{told.snn.name}: {told.threads} thread(s), {instruction_set()}; ratios to limit A")
    print(
        "batch    T   rate  bodies             compiled           event         difference    MiB"
    )
    for steps in told.timesteps:
        for batch in told.batch:
            x = samples(model, told.data, batch)
            it = contest(ann, model, x, steps, told.threads)
            print(row(it, measure(it, told.turns, clock), rate(model, x, steps)), flush=True)


if __name__ == "__main__":
    main()

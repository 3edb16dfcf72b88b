"""How fast a spiking network is simulated: ratios to limit A, T runs of the plain ANN.

    python benchmarks/speed.py [--net mlp resnet20 vgg16] [--batch 1 32] [-T 32] [--rate 0.1]
    python benchmarks/speed.py --files NET.onnx NET.snn.onnx SAMPLES.npz [--batch 32] [-T 8 32]

The first form makes nets of random weights that fire at the wanted rates (``firing_nets``), the
second measures a trained net. Contenders are described in ``contenders.load``; those of other
frameworks take part with ``--peers``, as far as they are installed.

Every row is measured in one process by turns (A, fold, ..., A, ...), as ratios to the A of the same
turn, so that other work on the machine hits all alike. Printed are the median ratio (above 1:
faster than A) and its quartiles; the rise of the peak memory in a process of its own; and how the
run agrees: for our own runs the share of neurons whose spike count equals that of the backend
``reference`` (numpy) on the first sample, for all the largest difference of the outputs from those
of ``bodies``, in shares of their largest value.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from contenders import Run, Task, load, names, peak_memory
from firing_nets import NETS, firing_net

from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.native.library import instruction_set, why_not_built
from onnx2snn.runtime.simulate import Simulation, simulate

PAUSE = 0.05
OURS = {"bodies": "onnxruntime", "compiled": "onnxruntime", "event": "event"}


def measure(
    runs: dict[str, Run], turns: int, clock: Callable[[], float], least: float
) -> dict[str, np.ndarray]:
    """Return by contender the ratios A / contender of every turn.

    In its turn a contender runs for at least ``least`` seconds, after a pause in which the thread
    pools of the one before fall asleep and a run that warms the caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(turns):
        for name, run in runs.items():
            time.sleep(PAUSE)
            run()
            done, start = 0, clock()
            while done == 0 or clock() - start < least:
                run()
                done += 1
            seconds[name].append((clock() - start) / done)
    limit = np.array(seconds["A"])
    return {name: limit / np.array(spent) for name, spent in seconds.items()}


def equal_counts(one: Simulation, other: Simulation) -> float:
    """Return the share of neurons with the same spike count."""
    equal = [np.sum(layer.counts == other.layers[n].counts) for n, layer in one.layers.items()]
    return float(np.sum(equal) / sum(layer.counts.size for layer in one.layers.values()))


def firing_rate(run: Simulation) -> float:
    """Return events per neuron and timestep, the encoder left out."""
    layers = list(run.layers.values())[1:]
    return float(
        sum(layer.events.sum() for layer in layers)
        / max(1, run.timesteps * sum(layer.counts.size for layer in layers))
    )


def agreements(task: Task) -> tuple[float, dict[str, float]]:
    """Return the firing rate, and by contender the share of neurons that count as the reference."""
    model, x = SpikingModel.load(task.snn), task.x[:1]
    judge = simulate(model, x, timesteps=task.steps, backend="reference", record="counts")
    shares = {}
    for name, backend in OURS.items():
        run = simulate(model, x, timesteps=task.steps, backend=backend, record="counts")
        shares[name] = equal_counts(run, judge)
    return firing_rate(judge), shares


def rows(task: Task, title: str, told: argparse.Namespace) -> Iterator[str]:
    """Measure one net at one batch size and T and give the lines of the table."""
    runs: dict[str, Run] = {}
    wanted = names(told.peers)
    for name in [n for n in wanted if told.runs is None or n in {"A", "bodies", *told.runs}]:
        try:
            run = load(name, task)
            run()
        except Exception as error:  # a peer that does not run is a row too, and says why
            if name in OURS or name in ("A", "fold"):
                raise
            yield f"| {title} | {name} | does not run: {str(error).splitlines()[0][:60]} | | | |"
            continue
        runs[name] = run
    clock = time.process_time if told.cpu_time else time.perf_counter
    ratios = measure(runs, told.turns, clock, told.seconds)
    rate, shares = agreements(task) if told.check else (float("nan"), {})
    expected = runs["bodies"]()
    for name, values in ratios.items():
        low, middle, high = np.percentile(values, [25, 50, 75])
        off = ""
        if name not in ("A", "fold"):
            off = f"{np.abs(runs[name]() - expected).max() / np.abs(expected).max():.1e}"
        same = f"{shares[name]:.4%}" if name in shares else ""
        memory = f"{peak_memory(name, task):.0f}" if told.memory else ""
        speed = f"{middle:.2f} ({low:.2f}-{high:.2f})"
        yield f"| {title}, rate {rate:.3f} | {name} | {speed} | {memory} | {same} | {off} |"


def nets(told: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Path, Path, np.ndarray]]:
    """Give the nets to measure: name, ANN, spiking form, samples."""
    if told.files is not None:
        ann, snn, data = told.files
        name = SpikingModel.load(snn).inputs[0]
        with np.load(data) as arrays:
            yield snn.name, ann, snn, np.asarray(arrays[name])
        return
    for name in told.net:
        for rate in told.rate:
            made = firing_net(name, rate, max(told.timesteps))
            ann, snn = folder / f"{name}-{rate}.onnx", folder / f"{name}-{rate}.snn.onnx"
            onnx.save(made.ann, ann)
            made.model.save(snn)
            yield name, ann, snn, made.samples


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", nargs="+", choices=sorted(NETS), default=sorted(NETS))
    parser.add_argument("--files", nargs=3, type=Path, metavar=("ANN", "SNN", "SAMPLES"))
    parser.add_argument("--rate", type=float, nargs="+", default=[0.1])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("-T", "--timesteps", type=int, nargs="+", default=[32])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="least time of one turn")
    parser.add_argument("--cpu-time", action="store_true", help="for a machine with other work")
    parser.add_argument("--runs", nargs="+", help="only these contenders, A and bodies")
    parser.add_argument("--peers", action="store_true", help="other frameworks too, if installed")
    parser.add_argument("--no-memory", dest="memory", action="store_false")
    parser.add_argument("--no-check", dest="check", action="store_false")
    told = parser.parse_args()
    if why_not_built():
        parser.error(why_not_built())
    print(f"{told.threads} thread(s), {instruction_set()}")
    print("| net, batch, T | run | speed / A (quartiles) | MiB | same counts | outputs off |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, ann, snn, samples in nets(told, Path(folder)):
            for steps in told.timesteps:
                for batch in told.batch:
                    x = np.ascontiguousarray(samples[np.arange(batch) % len(samples)])
                    task = Task(ann, snn, x, steps, told.threads)
                    for line in rows(task, f"{name}, {batch}, {steps}", told):
                        print(line, flush=True)


if __name__ == "__main__":
    main()

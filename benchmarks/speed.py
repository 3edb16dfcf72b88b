"""How fast a spiking network is simulated: ratios to limit A, T runs of the plain ANN.

    python benchmarks/speed.py [--net mlp resnet20 vgg16] [--batch 1 32] [-T 32] [--rate 0.1 0.2]
    python benchmarks/speed.py --files NET.onnx NET.snn.onnx SAMPLES.npz [--batch 32] [-T 8 32]
    python benchmarks/speed.py --targets [--files ...] [--peers] [--medians MEDIANS.json]

The first form makes nets of random weights that fire at the wanted rates (``firing_nets``), the
second measures trained nets (``--files`` may be given several times, beside ``--net`` too). The
third measures the rows of ``targets.TARGETS`` and prints measured ratios beside them. Contenders
are described in ``contenders.load``; those of other frameworks take part with ``--peers``, as far
as they are installed, and one that does not run says why. ``--medians`` keeps the medians of
several calls in one file: rows measured before are read from it, so that the frameworks, which
take minutes to compile, need not be measured again.

Every row is measured in one process by turns (A, fold, ..., A, ...), as ratios to the A of the same
turn, so that other work on the machine hits all alike. Printed are the median ratio (above 1:
faster than A) and its quartiles; the rise of the peak memory in a process of its own (that of
compilation included); and how the run agrees: for our own runs the share of neurons whose spike
count equals that of the backend ``reference`` (numpy) on the first sample, for all the largest
difference of the outputs from those of ``bodies``, in shares of their largest value; for int8
weights on a trained net the share of ``--answers`` samples whose largest output is that of
``event``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from contenders import OURS, Run, Task, load, names, peak_memory
from firing_nets import NETS, firing_net
from targets import TARGETS, Cell, summary

from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.native.library import instruction_set, why_not_built
from onnx2snn.runtime.runs.simulate import Simulation, simulate

PAUSE = 0.05
CHECKED = {"bodies": "onnxruntime", "compiled": "onnxruntime", "event": "event"}


class Net(NamedTuple):
    """What is measured: its name, the files of its ANN and its spiking form, samples."""

    name: str
    ann: Path
    snn: Path
    samples: np.ndarray
    trained: bool


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
    for name, backend in CHECKED.items():
        run = simulate(model, x, timesteps=task.steps, backend=backend, record="counts")
        shares[name] = equal_counts(run, judge)
    return firing_rate(judge), shares


def equal_answers(task: Task, samples: np.ndarray) -> float:
    """Return the share of samples for which int8 weights give the answer of float32 ones."""
    model = SpikingModel.load(task.snn)
    first, second = (
        simulate(model, samples, timesteps=task.steps, backend=name, threads=task.threads)
        for name in ("event", "event-int8")
    )
    output = model.outputs[0]
    answers = [run.outputs[output].reshape(len(samples), -1).argmax(1) for run in (first, second)]
    return float(np.mean(answers[0] == answers[1]))


def loaded(task: Task, told: argparse.Namespace) -> Iterator[tuple[str, Run | str]]:
    """Load and warm the wanted contenders; where one of another framework fails, say why."""
    wanted = names(told.peers, task.x)
    for name in [n for n in wanted if told.runs is None or n in {"A", "bodies", *told.runs}]:
        try:
            run = load(name, task)
            run()
        except Exception as error:  # a peer that does not run is a row too
            if name in OURS:
                raise
            yield name, " ".join(f"{type(error).__name__}: {error}".split())[:100]
            continue
        yield name, run


def rows(task: Task, net: Net, told: argparse.Namespace) -> Iterator[tuple[str, float, str]]:
    """Measure one net at one batch size and T: contender, median ratio, line of the table."""
    found = dict(loaded(task, told))
    runs = {name: run for name, run in found.items() if not isinstance(run, str)}
    cell = Cell(net.name, len(task.x), task.steps)
    for name, why in found.items():
        if isinstance(why, str):
            yield name, float("nan"), f"| {cell} | {name} | does not run: {why} | | | |"
    clock = time.process_time if told.cpu_time else time.perf_counter
    ratios = measure(runs, told.turns, clock, told.seconds)
    shares: dict[str, float] = {}
    title = str(cell)
    if told.check:
        rate, shares = agreements(task)
        title = f"{cell}, fires {rate:.3f}"
    expected = runs["bodies"]()
    for name, values in ratios.items():
        low, middle, high = np.percentile(values, [25, 50, 75])
        off = ""
        if name not in ("A", "fold"):
            off = f"{np.abs(runs[name]() - expected).max() / np.abs(expected).max():.1e}"
        same = f"{shares[name]:.4%}" if name in shares else ""
        if name == "event int8" and net.trained and told.check:
            count = min(told.answers, len(net.samples))
            same = f"{equal_answers(task, net.samples[:count]):.1%} of {count} answers"
        memory = f"{peak_memory(name, task):.0f}" if told.memory else ""
        speed = f"{middle:.2f} ({low:.2f}-{high:.2f})"
        line = f"| {title} | {name} | {speed} | {memory} | {same} | {off} |"
        yield name, float(middle), line


def nets(told: argparse.Namespace, folder: Path) -> Iterator[Net]:
    """Give the nets to measure."""
    for ann, snn, data in told.files:
        model = SpikingModel.load(snn)
        name = f"{Path(model.manifest.source.name).stem} {model.manifest.preset}"
        with np.load(data) as arrays:
            yield Net(name, ann, snn, np.asarray(arrays[model.inputs[0]]), True)
    for name in told.net:
        for rate in told.rate:
            made = firing_net(name, rate, max(told.timesteps))
            ann, snn = folder / f"{name}-{rate}.onnx", folder / f"{name}-{rate}.snn.onnx"
            onnx.save(made.ann, ann)
            made.model.save(snn)
            yield Net(f"{name} {rate:g}", ann, snn, made.samples, False)


def cells(net: Net, told: argparse.Namespace) -> list[Cell]:
    """Return the batch sizes and timesteps to measure a net at."""
    if told.targets:
        return [cell for cell in TARGETS if cell.net == net.name]
    return [Cell(net.name, batch, T) for T in told.timesteps for batch in told.batch]


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    files = ("ANN", "SNN", "SAMPLES")
    parser.add_argument("--net", nargs="*", choices=sorted(NETS), help="all, or none with --files")
    parser.add_argument("--files", nargs=3, type=Path, metavar=files, action="append", default=[])
    parser.add_argument("--rate", type=float, nargs="+", default=[0.1])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("-T", "--timesteps", type=int, nargs="+", default=[32])
    parser.add_argument("--targets", action="store_true", help="the rows of targets.py")
    parser.add_argument("--medians", type=Path, help="JSON file of medians to read and add to")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="least time of one turn")
    parser.add_argument("--cpu-time", action="store_true", help="for a machine with other work")
    parser.add_argument("--runs", nargs="+", help="only these contenders, A and bodies")
    parser.add_argument("--peers", action="store_true", help="other frameworks too, if installed")
    parser.add_argument("--answers", type=int, default=500, help="samples to compare int8 on")
    parser.add_argument("--no-memory", dest="memory", action="store_false")
    parser.add_argument("--no-check", dest="check", action="store_false")
    told = parser.parse_args()
    if why_not_built():
        parser.error(why_not_built())
    if told.net is None:
        told.net = [] if told.files else sorted(NETS)
    return told


def main() -> None:
    """Print the table."""
    told = read_arguments()
    medians: dict[str, dict[str, float]] = {}
    if told.medians is not None and told.medians.exists():
        medians = json.loads(told.medians.read_text())
    print(f"{told.threads} thread(s), {instruction_set()}")
    print("| net, batch, T | run | speed / A (quartiles) | MiB | same counts | outputs off |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for net in nets(told, Path(folder)):
            for cell in cells(net, told):
                x = np.ascontiguousarray(net.samples[np.arange(cell.batch) % len(net.samples)])
                task = Task(net.ann, net.snn, x, cell.steps, told.threads)
                for name, median, line in rows(task, net, told):
                    print(line, flush=True)
                    if median == median:
                        medians.setdefault(str(cell), {})[name] = median
                if told.medians is not None:
                    told.medians.write_text(json.dumps(medians, indent=1))
    if told.targets:
        print("", *summary(medians), sep="\n")


if __name__ == "__main__":
    main()

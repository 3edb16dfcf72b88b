"""What a simulation costs as events, T and the net grow; large nets within a budget of memory.

    python benchmarks/scale.py --plot scale.svg            # time against T, width and firing rate
    python benchmarks/scale.py --large [mobilenetv2 vgg16] # 224 x 224: convert and run, peak memory

Nets have random weights. ``--plot`` runs the event engine and onnxruntime with compiled neurons and
draws seconds per image, each curve over its own growth factor: T from 8 to 128; the net from its
size to 16 times its synapses (twice and four times as wide); the firing rate from 1 % to 32 %. A
cost that is linear in what grows is a straight line of slope 1; the slopes are printed.

``--large`` converts in one process and runs in others, within ``--memory``, and prints the peak
memory of each.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import large_nets
import numpy as np
import onnx
from contenders import peak_mib
from firing_nets import SAMPLES, _Builder, with_rate

from onnx2snn.converter import convert
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.stored_weights import WeightFile
from onnx2snn.runtime.backends import find_backend
from onnx2snn.runtime.evaluation.evaluate import evaluate
from onnx2snn.runtime.runs.simulate import simulate

BATCH = 4
BACKENDS = ("event", "onnxruntime")


class Curve(NamedTuple):
    """Seconds per image over a growth factor."""

    title: str
    backend: str
    factors: list[float]
    seconds: list[float]

    @property
    def slope(self) -> float:
        """Return the slope of the logarithms: 1 where the cost is linear."""
        return float(np.polyfit(np.log(self.factors), np.log(self.seconds), 1)[0])


def net(width: int, rate: float, timesteps: int) -> tuple[SpikingModel, np.ndarray]:
    """Make a plain convolutional net of five layers for 32 x 32 images that fires at a rate."""
    build = _Builder(0)
    x, inputs = "image", 3
    for outputs, stride in ((width, 1), (width, 1), (2 * width, 2), (2 * width, 1)):
        x, inputs = build.relu(build.conv(x, inputs, outputs, stride=stride)), outputs
    x = build.node("Flatten", [build.node("GlobalAveragePool", [x])])
    ann = build.model((3, 32, 32), build.dense(x, inputs, 10))
    samples = np.random.default_rng(0).uniform(0, 1, (SAMPLES, 3, 32, 32)).astype(np.float32)
    model, _ = convert(
        ann,
        calibration=samples[:8],
        preset="rate",
        timesteps=timesteps,
        input_coding="direct",
        threshold_rule="maximum",
        bias_correction=False,
    )
    return with_rate(model, samples[:2], rate, timesteps), samples[:BATCH]


def seconds_per_image(
    model: SpikingModel, x: np.ndarray, timesteps: int, backend: str, clock: Callable[[], float]
) -> float:
    """Return the least time of three runs."""
    loaded = find_backend(backend).load(model.plain, threads=1)
    feeds = {model.inputs[0]: x, model.timesteps_input: np.array(timesteps, np.int64)}
    loaded.run(feeds)
    spent = []
    for _ in range(3):
        start = clock()
        loaded.run(feeds)
        spent.append(clock() - start)
    return min(spent) / len(x)


def curves(clock: Callable[[], float]) -> list[Curve]:
    """Measure the three curves on every backend."""
    found = []
    steps, widths, rates = (8, 16, 32, 64, 128), (16, 32, 64), (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
    model, x = net(32, 0.1, 32)
    wide = [net(width, 0.1, 32) for width in widths]
    busy = [net(32, rate, 32) for rate in rates]
    for backend in BACKENDS:
        spent = [seconds_per_image(model, x, t, backend, clock) for t in steps]
        found.append(Curve("T", backend, [t / steps[0] for t in steps], spent))
        spent = [seconds_per_image(m, image, 32, backend, clock) for m, image in wide]
        found.append(Curve("synapses", backend, [(w / widths[0]) ** 2 for w in widths], spent))
        spent = [seconds_per_image(m, image, 32, backend, clock) for m, image in busy]
        found.append(Curve("firing rate", backend, [r / rates[0] for r in rates], spent))
    return found


def draw(found: list[Curve]) -> str:
    """Return the curves as one SVG: both axes logarithmic, a grey line of slope 1."""
    width, height, left, top = 640, 420, 70, 20
    plot_width, plot_height = 400, 340
    most = max(max(curve.factors) for curve in found)
    low = min(min(curve.seconds) for curve in found) * 1e3
    high = max(max(curve.seconds) for curve in found) * 1e3
    colours = {"T": "#0072b2", "synapses": "#d55e00", "firing rate": "#009e73"}

    def place(factor: float, value: float) -> tuple[float, float]:
        across = left + plot_width * np.log(factor) / np.log(most)
        return across, top + plot_height * (1 - np.log(value / low) / np.log(high / low))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<path d="M{left},{top}v{plot_height}h{plot_width}" fill="none" stroke="#444"/>',
    ]
    for power in range(int(np.log2(most)) + 1):
        across, _ = place(2.0**power, low)
        parts.append(
            f'<text x="{across:.0f}" y="{top + plot_height + 18}" text-anchor="middle">'
            f"{2**power}</text>"
        )
    for power in range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1):
        if low <= 10.0**power <= high:
            _, down = place(1, 10.0**power)
            parts.append(
                f'<text x="{left - 8}" y="{down + 4:.0f}" text-anchor="end">{10.0**power:g}</text>'
            )
    for order, curve in enumerate(found):
        points = " ".join(
            f"{across:.1f},{down:.1f}"
            for across, down in (
                place(factor, value * 1e3)
                for factor, value in zip(curve.factors, curve.seconds, strict=True)
            )
        )
        dash = ' stroke-dasharray="6 4"' if curve.backend != "event" else ""
        stroke = f'fill="none" stroke="{colours[curve.title]}" stroke-width="2"{dash}'
        parts.append(f'<polyline points="{points}" {stroke}/>')
        down = top + 14 + 20 * order
        parts.append(f'<path d="M{left + plot_width + 16},{down - 4}h24" {stroke}/>')
        parts.append(
            f'<text x="{left + plot_width + 46}" y="{down}">{curve.title}, {curve.backend}: '
            f"{curve.slope:.2f}</text>"
        )
    first, second = place(1, low), place(min(most, high / low), low * min(most, high / low))
    parts.append(
        f'<path d="M{first[0]:.1f},{first[1]:.1f}L{second[0]:.1f},{second[1]:.1f}" '
        'stroke="#bbb" stroke-dasharray="2 3"/>'
    )
    parts.append(
        f'<text x="{left + plot_width / 2}" y="{height - 12}" text-anchor="middle">'
        "growth factor</text>"
        f'<text x="16" y="{top + plot_height / 2}" text-anchor="middle" '
        f'transform="rotate(-90 16 {top + plot_height / 2})">milliseconds per image</text></svg>'
    )
    return "\n".join(parts)


def _convert(ann: Path, snn: Path, size: int) -> tuple[float, float]:
    start = time.perf_counter()
    images = np.random.default_rng(1).uniform(0, 1, (16, 3, size, size)).astype(np.float32)
    model, _ = convert(ann, calibration=images)
    model.save(snn)
    return peak_mib(), time.perf_counter() - start


def _simulate(
    snn: Path, size: int, timesteps: int, backend: str, memory: str
) -> tuple[float, float, float]:
    model = SpikingModel.load(snn)
    images = np.random.default_rng(2).uniform(0, 1, (8, 3, size, size)).astype(np.float32)
    start = time.perf_counter()
    run = simulate(
        model, images, timesteps=timesteps, backend=backend, memory=memory, record="counts"
    )
    return peak_mib(), time.perf_counter() - start, run.events / run.samples


def _evaluate(
    files: tuple[Path, Path], size: int, timesteps: int, backend: str, memory: str
) -> tuple[float, float, float]:
    ann, snn = files
    weights = WeightFile()
    source = read_model(ann, weights=weights).model
    model = SpikingModel.load(snn)
    images = np.random.default_rng(2).uniform(0, 1, (2, 3, size, size)).astype(np.float32)
    start = time.perf_counter()
    found = evaluate(model, source, images, timesteps=timesteps, backend=backend, memory=memory)
    return peak_mib(), time.perf_counter() - start, found.curve[-1].events_per_sample


def _row(name: str, step: str, peak: float, spent: float, events: float) -> str:
    return f"| {name} | {step} | {peak:.0f} | {spent:.1f} | {events:.3g} |"


def large(names: list[str], timesteps: int, memory: str) -> None:
    """Convert and run large nets, each step in a process of its own, and print the peaks."""
    print("| net | step | peak MiB | seconds | events per image |\n|---|---|---|---|---|")
    for name in names:
        size = large_nets.NETS[name].size
        with tempfile.TemporaryDirectory() as folder:
            ann, snn = Path(folder) / "net.onnx", Path(folder) / "net.snn.onnx"
            onnx.save(large_nets.make(name), ann)
            with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
                peak, spent = pool.apply(_convert, (ann, snn, size))
                print(f"| {name} | convert | {peak:.0f} | {spent:.1f} | |", flush=True)
            for backend in BACKENDS:
                with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
                    given = (snn, size, timesteps, backend, memory)
                    peak, spent, events = pool.apply(_simulate, given)
                    print(_row(name, backend, peak, spent, events), flush=True)
                    given = ((ann, snn), size, timesteps, backend, memory)
                    peak, spent, events = pool.apply(_evaluate, given)
                    print(_row(name, f"evaluate, {backend}", peak, spent, events), flush=True)


def main() -> None:
    """Draw the plot, or run the large nets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    parser.add_argument("--cpu-time", action="store_true", help="for a machine with other work")
    parser.add_argument("--large", nargs="*", choices=sorted(large_nets.NETS))
    parser.add_argument("-T", "--timesteps", type=int, default=16)
    parser.add_argument("--memory", default="1GiB")
    told = parser.parse_args()
    if told.plot is not None:
        found = curves(time.process_time if told.cpu_time else time.perf_counter)
        for curve in found:
            shown = " ".join(f"{1e3 * s:.3g}" for s in curve.seconds)
            print(f"{curve.title}, {curve.backend}: slope {curve.slope:.2f}; ms per image {shown}")
        told.plot.write_text(draw(found), encoding="utf-8")
    if told.large is not None:
        large(told.large or sorted(large_nets.NETS), told.timesteps, told.memory)


if __name__ == "__main__":
    main()

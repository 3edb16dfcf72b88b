"""Robustness to salt-and-pepper noise: ANN and spiking network, by read-out (seed 3, fig. 9).

    python benchmarks/noise.py --models DIR --data DIR [--only TEXT] [--samples N] [--timesteps T]

NETS names the networks: NAME.onnx in the folder of models, NAME.calib.npz and NAME.test.npz (with
``labels``) in the folder of data. The input is Poisson coded; what is trained is trained on
calibration data without noise. Prints two Markdown tables, accuracy against noise density.

The first has the setting of seed 3: in each five timesteps, two drawn by chance show the image
under fresh noise, the other three show it clean; the ANN gets one image, under noise. The SNN then
sees 60 % clean frames and the ANN none. So two rows give the ANN what the SNN gets: the mean of
all frames, and the sum of its answers to all frames. The second table shows one noisy image to
both: at every timestep the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter import convert, find_preset
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session
from onnx2snn.runtime import Simulator, input_specs, load_data

NETS = ("mnist_mlp_relu", "mnist_cnn_avg_relu")
DENSITIES = (0.0, 0.1, 0.2, 0.3)
READ_OUTS = ("current", "spike-count", "lif-stdp")
WINDOW, NOISY = 5, 2

Images = NDArray[np.float32]


def main() -> None:
    """Measure the networks whose files are there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of NAME.onnx")
    parser.add_argument("--data", type=Path, required=True, help="folder of NAME.*.npz")
    parser.add_argument("--only", default="", help="networks whose name contains this text")
    parser.add_argument("--samples", type=int, default=500, help="test samples, at most")
    parser.add_argument("--timesteps", type=int, default=40, help="T, a multiple of 5")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    options = parser.parse_args()
    for net in NETS:
        if options.only in net and (options.models / f"{net}.onnx").is_file():
            experiment = Experiment(net, options.models, options.data, options.timesteps)
            for changing in (True, False):
                title = "noise in 2 of 5 timesteps" if changing else "one noisy image"
                cells = [f"{density:.0%}" for density in DENSITIES]
                print(f"\n| {net}: {title} | " + " | ".join(cells) + " |")
                print("|---" * (len(cells) + 1) + "|")
                rows = experiment.table(options.samples, options.seed, changing=changing)
                for label, accuracies in rows.items():
                    told = " | ".join(f"{100 * accuracy:.1f}" for accuracy in accuracies)
                    print(f"| {label} | {told} |", flush=True)


class Experiment:
    """One network, its spiking forms and its data.

    Args:
        net: name of the files.
        models: folder of the network.
        folder: folder of the data.
        timesteps: T.
    """

    def __init__(self, net: str, models: Path, folder: Path, timesteps: int) -> None:
        path = models / f"{net}.onnx"
        self._timesteps = timesteps
        source = read_model(path).model
        specs = input_specs(source.graph)
        calibration = load_data(folder / f"{net}.calib.npz", specs)
        test = load_data(folder / f"{net}.test.npz", specs)
        if test.labels is None:
            raise SystemExit(f"{net}.test.npz has no labels")
        (self._input,) = test.arrays
        self._images: Images = np.asarray(test.arrays[self._input], np.float32)
        self._labels = test.labels
        seen = np.asarray(calibration.arrays[self._input])
        self._ends = (float(seen.min()), float(seen.max()))
        self._ann = Session(source)
        knobs = {"timesteps": timesteps, "stimulus": timesteps, "levels": timesteps // 2}
        preset = find_preset("ternary").model_copy(update={**knobs, "input_coding": "poisson"})
        self.models: dict[str, SpikingModel] = {
            read_out: convert(
                path,
                calibration=calibration.arrays,
                preset=preset.model_copy(update={"read_out": read_out}),
            )[0]
            for read_out in READ_OUTS
        }

    def table(self, samples: int, seed: int, *, changing: bool) -> dict[str, list[float]]:
        """Return the accuracies by row, one per density."""
        rows: dict[str, list[float]] = {}
        images, labels = self._images[:samples], self._labels[:samples]
        for density in DENSITIES:
            rng = np.random.default_rng(seed)
            noisy = salt_and_pepper(images, density, self._ends, rng)
            frames = [noisy] * self._timesteps
            if changing:
                frames = list(frames_of(images, density, self._ends, self._timesteps, rng))
            for label, scores in self._scores(noisy, frames, changing=changing):
                found = float((scores.argmax(axis=1) == labels).mean())
                rows.setdefault(label, []).append(found)
        return rows

    def _scores(
        self, noisy: Images, frames: list[Images], *, changing: bool
    ) -> Iterator[tuple[str, Images]]:
        yield "ANN, one image under noise", self._answer(noisy)
        if changing:
            yield "ANN, mean of the frames", self._answer(np.mean(frames, axis=0, dtype=np.float32))
            answers = [self._answer(frame) for frame in frames]
            yield "ANN, sum of its answers", np.sum(answers, axis=0)
        for read_out, model in self.models.items():
            yield f"SNN, {read_out}", spiking_scores(model, frames)

    def _answer(self, images: Images) -> Images:
        (scores,) = self._ann.run({self._input: images}).values()
        return np.asarray(scores, np.float32)


def salt_and_pepper(
    images: Images, density: float, ends: tuple[float, float], rng: np.random.Generator
) -> Images:
    """Return images in which a share of the values is the least or the greatest, half each."""
    drawn = rng.random(images.shape)
    noisy = np.where(drawn < density / 2, np.float32(ends[0]), images)
    return np.asarray(np.where(drawn >= 1 - density / 2, np.float32(ends[1]), noisy), np.float32)


def frames_of(
    images: Images,
    density: float,
    ends: tuple[float, float],
    timesteps: int,
    rng: np.random.Generator,
) -> Iterator[Images]:
    """Yield what is shown at each timestep: two of every five, drawn by chance, under noise."""
    for _ in range(0, timesteps, WINDOW):
        chosen = set(rng.choice(WINDOW, NOISY, replace=False).tolist())
        for place in range(WINDOW):
            noise = place in chosen
            yield salt_and_pepper(images, density, ends, rng) if noise else images


def spiking_scores(model: SpikingModel, frames: list[Images]) -> Images:
    """Return the outputs of a spiking network after all frames, one a timestep."""
    simulator = Simulator(model)
    outputs = {}
    for frame in frames:
        outputs = simulator.step(frame)
    (scores,) = outputs.values()
    return np.asarray(scores, np.float32)


if __name__ == "__main__":
    main()

"""Measure the methods of the literature on trained networks: the tables of docs/seeds.md.

    python benchmarks/methods.py --models DIR --data DIR [--table NAME] [--only TEXT] [--samples N]

TRIALS says what is measured: a network, a preset, the T it is converted for, and knobs that are
replaced. A trial is measured if its files are there: NAME.onnx in the folder of models,
NAME.calib.npz and NAME.test.npz in the folder of data. Thresholds and corrections see the
calibration file only. Networks that were fine-tuned from another one (``onnx2snn finetune``) take
the data of that one. Noise on the input has a benchmark of its own, noise.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accuracy import percent, print_line, read

from onnx2snn.converter import convert, find_preset
from onnx2snn.converter.source.read import read_model
from onnx2snn.runtime import custom_ops_path, evaluate

CURVE = (1, 2, 4, 8, 16, 32, 64)
HEADS = (
    *("network", "method", "N", "ANN", "PTQ", "T", "SNN", "SNN = ANN"),
    *("events/neuron", "energy/ANN"),
)


@dataclass(frozen=True)
class Trial:
    """One conversion and the points of its curve.

    Attributes:
        table: the table it belongs to.
        net: name of the files.
        preset: name of the preset.
        timesteps: T of the conversion.
        points: timesteps to evaluate at; T if empty.
        knobs: fields of the preset that are replaced.
        data: name of the data; that of the network if empty.
        most: test samples, at most.
    """

    table: str
    net: str
    preset: str
    timesteps: int
    points: tuple[int, ...] = ()
    knobs: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    most: int = 1000

    @property
    def title(self) -> str:
        """Return the preset with what was changed."""
        return ", ".join([self.preset, *(f"{name}={value}" for name, value in self.knobs.items())])


MNIST = ("mnist_mlp_relu", "mnist_cnn_avg_relu", "mnist_cnn_max_relu_bn")
RESNET = "resnet20_cifar10_ft"
QCFS = "cifar10_vgg7_avg_qcfs_l8"
DIGITS = "fsdd_cnn_leaky_bn"
TO_8, TO_16, TO_32 = CURVE[:4], CURVE[:5], CURVE[:6]
NO_BIAS = {"bias_correction": False}

TRIALS = (
    *(Trial("mnist", net, "ternary", 8, TO_8) for net in MNIST),
    *(Trial("mnist", net, "rate", 8, TO_8) for net in MNIST),
    *(Trial("mnist", net, "seed:threshold-relu-shift", 8, TO_8) for net in MNIST),
    *(Trial("mnist", net, "seed:p99.9-norm", 64, CURVE) for net in MNIST),
    Trial("mnist", MNIST[2], "seed:p99.9-norm", 64, CURVE, {"pooling": "gated"}),
    Trial("mnist", MNIST[1], "seed:spike-count", 32, TO_32),
    Trial("mnist", MNIST[1], "seed:poisson", 64, CURVE),
    Trial("mnist", MNIST[1], "seed:latency", 64, CURVE),
    *(Trial("cifar", RESNET, "ternary", T, (T,)) for T in (8, 16, 32)),
    *(
        Trial("cifar", RESNET, "ternary", T, (T,), {"levels": T, "stimulus": T})
        for T in (8, 16, 32)
    ),
    *(Trial("cifar", RESNET, "rate", T, (T,)) for T in (8, 16, 32)),
    *(Trial("cifar", RESNET, "seed:ftbc", T, (T,)) for T in (8, 16, 32)),
    *(
        Trial("cifar-methods", RESNET, f"seed:{name}", 32, CURVE[2:6], most=200)
        for name in (
            *("max-norm", "p99.9-norm", "hard-reset", "threshold-relu-shift"),
            *("threshold-relu-bias", "local-threshold-balancing", "threshold-iteration"),
            *("mse-bias", "ftbc", "prolonged", "st-bif", "poisson", "spiking-resnet"),
        )
    ),
    Trial("cifar-methods", RESNET, "seed:hold", 192, (192,), most=50),
    Trial("qcfs", QCFS, "seed:clipfloor-if", 32, TO_32),
    Trial("qcfs", QCFS, "seed:ftbc", 32, TO_32, NO_BIAS),
    Trial("qcfs", QCFS, "seed:clipfloor-mbif", 32, TO_32),
    Trial("qcfs", QCFS, "ternary", 32, TO_32),
    Trial("qcfs", QCFS, "seed:prolonged", 48, (16, 32, 48), {"stimulus": 16}),
    Trial("qcfs", QCFS, "seed:hold", 64, (64,)),
    Trial("digits", "fsdd_cf_l4", "seed:clipfloor-if", 8, TO_8, data=DIGITS),
    Trial("digits", "fsdd_cf_l4", "seed:clipfloor-mbif", 8, TO_8, data=DIGITS),
    Trial("digits", "fsdd_lcf_l4", "seed:leaky-clipfloor-bif", 8, TO_8, data=DIGITS),
    Trial("digits", DIGITS, "seed:double-threshold", 8, TO_8),
)


def main() -> None:
    """Measure the trials whose files are there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of NAME.onnx")
    parser.add_argument("--data", type=Path, required=True, help="folder of NAME.*.npz")
    parser.add_argument("--table", help="only this table")
    parser.add_argument("--only", default="", help="trials whose 'network method' contains this")
    parser.add_argument("--samples", type=int, default=1000, help="test samples, at most")
    options = parser.parse_args()
    for table in dict.fromkeys(trial.table for trial in TRIALS):
        chosen = [trial for trial in TRIALS if trial.table == table and is_there(trial, options)]
        if chosen and options.table in (None, table):
            print(f"\n**{table}**\n")
            print_line(HEADS)
            print_line(tuple("---" for _ in HEADS))
            for trial in chosen:
                for cells in measure(trial, options.models, options.data, options.samples):
                    print_line(cells)


def is_there(trial: Trial, options: argparse.Namespace) -> bool:
    """Whether a trial is asked for and its files exist."""
    data = trial.data or trial.net
    files = (
        options.models / f"{trial.net}.onnx",
        options.data / f"{data}.calib.npz",
        options.data / f"{data}.test.npz",
    )
    wanted = options.only in f"{trial.net} {trial.title}"
    return wanted and all(file.is_file() for file in files)


def measure(trial: Trial, models: Path, folder: Path, samples: int) -> Iterator[tuple[str, ...]]:
    """Convert, evaluate, and yield one line per point of the curve."""
    path = models / f"{trial.net}.onnx"
    ann = read_model(path).model
    data = trial.data or trial.net
    preset = find_preset(trial.preset).replaced({"timesteps": trial.timesteps, **trial.knobs})
    calibration = read(folder / f"{data}.calib.npz", ann).arrays
    model, _ = convert(path, calibration=calibration, preset=preset, library=custom_ops_path())
    test = read(folder / f"{data}.test.npz", ann)
    count = min(samples, trial.most)
    arrays = {name: values[:count] for name, values in test.arrays.items()}
    labels = None if test.labels is None else test.labels[:count]
    points = trial.points or (trial.timesteps,)
    account = evaluate(model, ann, arrays, labels, timesteps=points)
    ann_energy = account.energy[0].ann
    for point in account.curve:
        yield (
            trial.net,
            trial.title,
            str(account.samples),
            percent(account.ann.accuracy),
            percent(account.ptq.accuracy),
            str(point.timesteps),
            percent(point.accuracy),
            percent(point.agreement),
            f"{point.events_per_neuron:.2f}",
            f"{point.energy_joules[account.energy[0].name] / ann_energy:.2f}",
        )


if __name__ == "__main__":
    main()

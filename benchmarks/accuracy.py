"""Measure conversions of trained networks: accuracy, agreement, events, silence, time to convert.

    python benchmarks/accuracy.py --models DIR --data DIR [--only NAME] [--samples N]

ROWS says what is measured. A row is measured if its files are there: NAME.onnx in the folder of
models, NAME.calib.npz and NAME.test.npz in the folder of data (arrays named as the model's inputs;
the test file may hold ``labels``). Thresholds see the calibration file only, the table the test
file only. One line is printed per timestep asked for, as a Markdown table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.converter import convert, find_preset
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime import Dataset, Evaluation, evaluate, input_specs, load_data

GRADED = (1, 2, 4, 8, 16)
HEADS = (
    *("network", "preset", "N", "ANN", "PTQ", "PTQ = ANN", "T", "SNN", "SNN = ANN", "SNN = PTQ"),
    *("relative error", "events/neuron", "silent at", "analog", "convert"),
)


@dataclass(frozen=True)
class Row:
    """One conversion and the points of its curve.

    Attributes:
        net: name of the files.
        preset: name of the preset.
        points: timesteps to evaluate at.
        knobs: fields of the preset that are replaced.
        calibrated: whether the calibration data is used; otherwise thresholds rest on noise.
    """

    net: str
    preset: str = "graded"
    points: tuple[int, ...] = GRADED
    knobs: Mapping[str, object] = field(default_factory=dict)
    calibrated: bool = True

    @property
    def title(self) -> str:
        """Return the preset with what was changed."""
        told = [self.preset, *(f"{name}={value}" for name, value in self.knobs.items())]
        return ", ".join(told if self.calibrated else [*told, "no data"])


_SIGNED: Mapping[str, object] = {"alphabet": "ternary"}
"""Rate coding (S = T) by signed spikes with bounded memory."""

ROWS = (
    Row("resnet20_cifar10_ft"),
    Row("resnet20_cifar10_ft", calibrated=False),
    Row("resnet20_cifar10_ft", "fast", (1, 2, 4, 8)),
    Row("resnet20_cifar10_ft", "ternary", (16, 32, 64, 128)),
    Row("resnet20_cifar10_ft", "rate", (32,), {"timesteps": 32}),
    Row("resnet20_cifar10_ft", "rate", (64,), {"timesteps": 64}),
    Row("resnet20_cifar10_ft", "rate", (128,), {"timesteps": 128}),
    *(
        Row("resnet20_cifar10_ft", "rate", (T,), {"timesteps": T, "levels": T, **_SIGNED})
        for T in (8, 16, 32)
    ),
    Row("resnet20_cifar10_ft", "rate", (16,), {"timesteps": 16}),
    Row("resnet20_cifar10_dynamo_raw"),
    Row("resnet20_cifar10_dynamo_raw", "fast", (1, 2, 4, 8)),
    Row("mnist_mlp_relu"),
    Row("mnist_cnn_avg_relu"),
    Row("mnist_cnn_max_relu_bn"),
    Row("fsdd_cnn_leaky_bn"),
    Row("cifar10_vgg7_bn_max"),
    Row("resnet8_cifar10_keras"),
    Row("mobilenetv1_025_vww96_keras"),
    Row("dscnn_kws_tf"),
    Row("sklearn_mlp_digits"),
    Row("fashion_vit_tiny"),
    Row("squeezenet10_imagenet"),
    Row("unet_sedgen"),
    Row("ultraface_slim320"),
    Row("fashion_cnn_qcfs_l8", "ternary", (8, 16, 32, 64, 128)),
    Row("cifar10_vgg7_avg_qcfs_l8", "ternary", (8, 16, 32, 64, 128)),
    Row("cifar10_vgg7_avg_qcfs_l8", "rate", (8,), {"timesteps": 8, "initial_potential": 0.3}),
    Row("cifar10_vgg7_avg_qcfs_l8", "rate", (32,), {"timesteps": 32}),
    Row("cifar10_vgg7_avg_qcfs_l8", "rate", (48,), {"timesteps": 48, "hold": 8, "stimulus": 8}),
)


def main() -> None:
    """Measure the rows whose files are there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of NAME.onnx")
    parser.add_argument("--data", type=Path, required=True, help="folder of NAME.*.npz")
    parser.add_argument("--only", help="rows whose 'network preset' contains this text")
    parser.add_argument("--samples", type=int, default=1000, help="test samples, at most")
    parser.add_argument("--memory", default="2GiB", help="memory that one run may take")
    options = parser.parse_args()
    print_line(HEADS)
    print_line("---" for _ in HEADS)
    for row in ROWS:
        files = (f"{row.net}.calib.npz", f"{row.net}.test.npz")
        there = all((options.data / name).is_file() for name in files)
        there = there and (options.models / f"{row.net}.onnx").is_file()
        if there and (options.only or "") in f"{row.net} {row.title}":
            for cells in measure(
                row, options.models, options.data, options.samples, options.memory
            ):
                print_line(cells)


def print_line(cells: Iterator[str] | tuple[str, ...]) -> None:
    """Print one line of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def measure(
    row: Row, models: Path, folder: Path, samples: int, memory: str
) -> Iterator[tuple[str, ...]]:
    """Convert, evaluate, and yield one line per point of the curve."""
    path = models / f"{row.net}.onnx"
    ann = read_model(path).model
    calibration = read(folder / f"{row.net}.calib.npz", ann)
    start = time.perf_counter()
    model, _ = convert(
        path,
        calibration=calibration.arrays if row.calibrated else None,
        preset=find_preset(row.preset).replaced(row.knobs),
    )
    seconds = time.perf_counter() - start
    evaluation = run(model, ann, read(folder / f"{row.net}.test.npz", ann), row, samples, memory)
    for point in evaluation.curve:
        yield (
            row.net,
            row.title,
            str(evaluation.samples),
            percent(evaluation.ann.accuracy),
            percent(evaluation.ptq.accuracy),
            percent(evaluation.ptq.agreement),
            str(point.timesteps),
            percent(point.accuracy),
            percent(point.agreement),
            percent(point.ptq_agreement),
            f"{point.relative_error:.4f}",
            f"{point.events_per_neuron:.2f}",
            "-" if evaluation.silent_at is None else str(evaluation.silent_at),
            str(len(evaluation.analog_ops)),
            f"{seconds:.1f} s",
        )


def read(path: Path, ann: onnx.ModelProto) -> Dataset:
    """Read samples for the network's inputs."""
    stored = {tensor.name for tensor in ann.graph.initializer}
    names = [item.name for item in ann.graph.input if item.name not in stored]
    return load_data(path, input_specs(ann.graph, names))


def run(
    model: SpikingModel,
    ann: onnx.ModelProto,
    test: Dataset,
    row: Row,
    samples: int,
    memory: str,
) -> Evaluation:
    """Evaluate on the first samples."""
    arrays: dict[str, NDArray[np.generic]] = {n: a[:samples] for n, a in test.arrays.items()}
    labels = None if test.labels is None else test.labels[:samples]
    return evaluate(model, ann, arrays, labels, timesteps=row.points, memory=memory)


def percent(share: float | None) -> str:
    """Return a share in percent."""
    return "-" if share is None else f"{100 * share:.2f} %"


if __name__ == "__main__":
    main()

"""What fine-tuning brings: a network and its tuned form, both converted, at few timesteps.

    python benchmarks/finetuning.py MODEL.onnx TRAIN.npz TEST.npz [--activation clipfloor]
        [--levels 8] [--epochs 20] [--save TUNED.onnx]

TRAIN holds arrays named as the model's inputs and ``labels``; it is all that training and
thresholds see. TEST, with ``labels``, gives the table. Each network is converted anew for every T
with the preset ``rate`` (integrate-and-fire neurons, binary spikes), and once with ``ternary``
(signed spikes, exact at rest). Needs ``onnx2snn[train]``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.converter import convert
from onnx2snn.converter.finetuning import FinetuneSettings, finetune
from onnx2snn.converter.source.read import read_model
from onnx2snn.runtime import evaluate

Arrays = dict[str, NDArray[np.generic]]

THRESHOLD_SAMPLES = 200
RATE_TIMESTEPS = (2, 4, 8, 16, 32)
TERNARY_TIMESTEPS = (2, 4, 8, 16, 32, 64)


def main() -> None:
    """Fine-tune, convert and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--activation", default="clipfloor")
    parser.add_argument("--levels", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--samples", type=int, default=1000, help="test samples, at most")
    parser.add_argument("--save", type=Path, help="where to write the tuned network")
    options = parser.parse_args()
    train, train_labels = read(options.train)
    test, test_labels = read(options.test)
    settings = FinetuneSettings(
        activation=options.activation,
        levels=options.levels,
        epochs=options.epochs,
        batch=options.batch,
        learning_rate=options.learning_rate,
    )
    tuned, report = finetune(options.model, train, train_labels, settings=settings)
    for epoch in report.epochs:
        kept = " (kept)" if epoch.number == report.best else ""
        print(f"epoch {epoch.number}: held-out loss {epoch.held_out_loss:.4g}{kept}", flush=True)
    if options.save:
        onnx.save(tuned, options.save)
    few = {name: values[:THRESHOLD_SAMPLES] for name, values in train.items()}
    held = {name: values[: options.samples] for name, values in test.items()}
    labels = test_labels[: options.samples] if test_labels is not None else None
    print_line(("network", "preset", "T", "ANN", "SNN", "SNN = its ANN", "events/neuron"))
    print_line(["---"] * 7)
    for title, model in (("original", read_model(options.model).model), ("tuned", tuned)):
        for row in measure(model, few, held, labels):
            print_line((title, *row))


def measure(
    ann: onnx.ModelProto, few: Arrays, test: Arrays, labels: NDArray[np.int64] | None
) -> Iterator[Sequence[str]]:
    """Convert for every T and yield the rows of the table."""
    runs = [("rate", steps, (steps,)) for steps in RATE_TIMESTEPS]
    for preset, timesteps, points in [*runs, ("ternary", 32, TERNARY_TIMESTEPS)]:
        spiking, _ = convert(ann, calibration=few, preset=preset, timesteps=timesteps)
        found = evaluate(spiking, ann, test, labels, timesteps=points)
        for point in found.curve:
            yield (
                preset,
                str(point.timesteps),
                percent(found.ann.accuracy),
                percent(point.accuracy),
                percent(point.agreement),
                f"{point.events_per_neuron:.2f}",
            )


def read(path: Path) -> tuple[Arrays, NDArray[np.int64] | None]:
    """Return the arrays of a file, and its labels."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    labels = arrays.pop("labels", None)
    return arrays, None if labels is None else labels.astype(np.int64)


def percent(share: float | None) -> str:
    """Return a share in percent."""
    return "-" if share is None else f"{100 * share:.2f}"


def print_line(cells: Sequence[str]) -> None:
    """Print one line of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

"""Measure which errors occur in which network with which neuron: activation x neuron x kind.

    python benchmarks/error_kinds.py --models DIR --data DATA [--only NAME] [--samples N]

CASES says what is measured. A case is measured if its files are there: NAME.onnx in the folder of
models, NAME.calib.npz and NAME.test.npz in the folder of data (arrays named as the model's inputs).
Every cell is the fall of the relative error of the outputs when one kind of error is switched off
in all layers (``onnx2snn.runtime.diagnose``); a plus marks those that make up at least a tenth of
the error. Discretisation is clipping and quantisation together. The table is that of the talk in
docs/methods.md, with figures in the place of signs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onnx2snn.converter import Preset, convert, find_preset
from onnx2snn.converter.source.read import read_model
from onnx2snn.runtime import Diagnosis, diagnose, input_specs, load_data

NOTABLE = 0.1
"""Share of the relative error from which on a kind is marked."""
HEADS = (
    *("activation", "network", "neuron", "T", "agreement", "relative error"),
    *("discretisation", "residual +", "residual -", "premature"),
)
NEURONS: Mapping[str, Mapping[str, object]] = {
    "IF": {},
    "BIF": {"alphabet": "ternary", "memory": "none"},
    "mBIF": {"alphabet": "ternary", "negative_threshold": -1.0},
    "ST-BIF": {"alphabet": "ternary"},
}
"""Knobs by neuron, on top of rate coding: S = T, v_0 = theta / 2, soft reset."""


@dataclass(frozen=True)
class Case:
    """One network and the neurons that its activation goes with."""

    activation: str
    net: str
    neurons: tuple[str, ...]


CASES = (
    Case("ReLU", "mnist_cnn_avg_relu", ("IF", "mBIF", "ST-BIF")),
    Case("ReLU", "cifar10_vgg7_bn_max", ("IF", "mBIF", "ST-BIF")),
    Case("PReLU", "fsdd_cnn_leaky_bn", ("BIF", "ST-BIF")),
    Case("CF", "fashion_cnn_qcfs_l8", ("IF", "mBIF", "ST-BIF")),
    Case("CF", "cifar10_vgg7_avg_qcfs_l8", ("IF", "mBIF", "ST-BIF")),
    Case("LCF", "fsdd_cnn_lcf", ("BIF", "ST-BIF")),
)


def neuron_preset(neuron: str, timesteps: int) -> Preset:
    """Return rate coding with one of NEURONS, one level per timestep and no correction."""
    knobs = {"timesteps": timesteps, "levels": timesteps, "bias_correction": False}
    return find_preset("rate").replaced({**knobs, **NEURONS[neuron]})


def measure(
    models: Path, data: Path, case: Case, neuron: str, timesteps: int, samples: int
) -> Diagnosis:
    """Convert one network with one neuron and diagnose it on test samples."""
    path = models / f"{case.net}.onnx"
    source = read_model(path)
    specs = input_specs(source.model.graph, [item.name for item in source.model.graph.input])
    calibration = load_data(data / f"{case.net}.calib.npz", specs).arrays
    test = load_data(data / f"{case.net}.test.npz", specs).arrays
    model, _ = convert(path, calibration=calibration, preset=neuron_preset(neuron, timesteps))
    few = {name: values[:samples] for name, values in test.items()}
    return diagnose(model, source.model, few, each_layer=False)


def cells(case: Case, neuron: str, found: Diagnosis) -> tuple[str, ...]:
    """Return one row of the table."""
    removed = {row.kind: row.removed for row in found.errors}
    discretisation = removed.get("clipping", 0.0) + removed.get("quantisation", 0.0)
    kinds = ("residual-positive", "residual-negative", "premature")
    falls = [discretisation, *(removed.get(kind, 0.0) for kind in kinds)]
    marked = [
        f"{'+ ' if fall >= NOTABLE * found.relative_error else ''}{fall:.3f}" if fall else "-"
        for fall in falls
    ]
    agreement = "-" if found.agreement is None else f"{100 * found.agreement:.1f}"
    head = (case.activation, case.net, neuron, str(found.timesteps), agreement)
    return (*head, f"{found.relative_error:.3f}", *marked)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--timesteps", type=int, default=16)
    parser.add_argument("--samples", type=int, default=100)
    arguments = parser.parse_args()
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}", flush=True)
    for case in CASES:
        if arguments.only not in case.net or not (arguments.models / f"{case.net}.onnx").exists():
            continue
        for neuron in case.neurons:
            found = measure(
                arguments.models,
                arguments.data,
                case,
                neuron,
                arguments.timesteps,
                arguments.samples,
            )
            print(f"| {' | '.join(cells(case, neuron, found))} |", flush=True)


if __name__ == "__main__":
    main()

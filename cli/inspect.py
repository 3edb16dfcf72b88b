"""``onnx2snn inspect``: what a spiking network says about itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx2snn.cli.options import AsJson, SpikingFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from onnx2snn.ir.model import NeuronLayer, SpikingModel


def inspect(
    snn: SpikingFile,
    as_json: AsJson = False,
) -> None:
    """Show a spiking network: provenance, neurons, thresholds, timesteps, analog operators."""
    from onnx2snn.cli.output import print_json
    from onnx2snn.ir.model import SpikingModel

    model = SpikingModel.load(snn)
    if as_json:
        print_json(_record(model))
    else:
        _print(snn, model)


def _record(model: SpikingModel) -> dict[str, Any]:
    return {
        "manifest": model.manifest.model_dump(mode="json"),
        "inputs": list(model.inputs),
        "outputs": list(model.outputs),
        "timesteps_input": model.timesteps_input,
        "neurons": [_layer_record(layer) for layer in model.neurons],
        "functions": [function.name for function in model.light.functions],
    }


def _layer_record(layer: NeuronLayer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.op.name,
        "alphabet": layer.alphabet,
        "digits": layer.digits,
        "threshold_shape": list(layer.quantum.shape),
        "threshold_min": float(abs(layer.quantum).min()),
        "threshold_max": float(abs(layer.quantum).max()),
        "n_min": _finite(layer.n_min),
        "n_max": _finite(layer.n_max),
    }


def _finite(bound: float) -> float | None:
    return bound if abs(bound) < float("inf") else None


def _print(path: Path, model: SpikingModel) -> None:
    from onnx2snn.cli.output import facts, print_findings, results, table
    from onnx2snn.cli.summary import fate_rows
    from onnx2snn.runtime.reports.numerals import size
    from onnx2snn.runtime.reports.report import alphabet_words, calibration_words, provenance

    manifest = model.manifest
    console = results(as_json=False)
    stimulus = "T" if manifest.stimulus is None else str(manifest.stimulus)
    pairs = [
        ("file", f"{path} ({size(path.stat().st_size)})"),
        ("inputs", ", ".join(model.inputs)),
        ("outputs", ", ".join(model.outputs)),
        (
            "timesteps",
            f"T = {manifest.timesteps} (input '{model.timesteps_input}'), S = {stimulus}",
        ),
        ("preset", manifest.preset),
        ("alphabet", alphabet_words(manifest, manifest.timesteps)),
        ("input coding", manifest.input_coding),
        ("read-out", manifest.read_out),
        ("calibration", calibration_words(manifest)),
        ("analog operators", ", ".join(manifest.analog_ops) or "none"),
        ("functions", ", ".join(function.name for function in model.light.functions)),
        *((name.lower(), value) for name, value in provenance(manifest)),
    ]
    console.print(facts(pairs))
    rows = [
        (
            layer.name,
            layer.op.name,
            _thresholds(abs(layer.quantum)),
            f"{_bound(layer.n_min)} to {_bound(layer.n_max)}",
        )
        for layer in model.neurons
    ]
    heads = ("neuron layer", "kind", "thresholds", "spike count")
    console.print()
    console.print(table(heads, rows))
    console.print()
    console.print(table(["fate", "nodes", "operators"], fate_rows(manifest)))
    if manifest.findings:
        console.print()
        print_findings(console, manifest.findings)


def _thresholds(quanta: NDArray[np.floating[Any]]) -> str:
    """Return how many thresholds a layer has and their range."""
    from onnx2snn.runtime.reports.numerals import figure

    least, greatest = (figure(float(value), 3) for value in (quanta.min(), quanta.max()))
    return least if quanta.size == 1 else f"{quanta.size}: {least} to {greatest}"


def _bound(value: float) -> str:
    """Return a bound of a spike count."""
    from onnx2snn.runtime.reports.numerals import count

    if _finite(value) is None:
        return "−∞" if value < 0 else "∞"
    return count(round(value)).replace("-", "−")

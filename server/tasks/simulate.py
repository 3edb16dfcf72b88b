"""Task: run a spiking network over samples and write its outputs and spikes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.data.array_files import Arrays, write_npz
from onnx2snn.runtime.data.dataset import load_data
from onnx2snn.runtime.data.input_spec import input_specs
from onnx2snn.runtime.runs.simulate import Simulation, simulate
from onnx2snn.server.sandbox import Progress
from onnx2snn.server.tasks.early_exit import early_exit_of
from onnx2snn.server.tasks.inputs import MAX_DATA_BYTES, limited


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Simulate; writes ``out/simulation.npz``.

    Args:
        arguments: ``snn``, ``data`` (file names in ``in/``), ``samples``, ``timesteps``,
            ``record``, ``backend``, ``memory``; ``early_exit`` and ``calibration`` as in
            ``early_exit_of``.
        folder: of the task.
        progress: told what is going on.

    Returns:
        The backend that ran, samples, timesteps, and events by layer.
    """
    inputs = folder / "in"
    model = SpikingModel.load(inputs / arguments["snn"])
    specs = input_specs(model.light.graph, model.inputs)
    dataset = load_data(inputs / arguments["data"], specs, max_bytes=MAX_DATA_BYTES)
    arrays, _ = limited(dataset, arguments["samples"])
    simulation = simulate(
        model,
        arrays,
        timesteps=arguments["timesteps"],
        backend=arguments["backend"],
        record=arguments["record"],
        early_exit=early_exit_of(
            arguments,
            inputs,
            model,
            arguments["timesteps"] or model.manifest.timesteps,
            progress,
        ),
        memory=arguments["memory"],
        progress=lambda done, total: progress("simulate", done / total),
    )
    write_npz(folder / "out" / "simulation.npz", _arrays(simulation))
    return {
        "backend": simulation.backend,
        "samples": simulation.samples,
        "timesteps": simulation.timesteps,
        "stimulus_steps": simulation.stimulus_steps,
        "layers": [
            {
                "name": name,
                "neurons": int(layer.counts[0].size),
                "events_per_sample": float(layer.events.sum() / simulation.samples),
            }
            for name, layer in simulation.layers.items()
        ],
    }


def _arrays(simulation: Simulation) -> Arrays:
    arrays: Arrays = dict(simulation.outputs)
    layers = simulation.layers
    if layers:
        arrays["snn.layers"] = np.array(list(layers), dtype=np.str_)
        arrays["snn.events"] = np.stack([layer.events for layer in layers.values()])
        arrays["snn.negative"] = np.stack([layer.negative for layer in layers.values()])
    for index, layer in enumerate(layers.values()):
        arrays[f"snn.counts.{index}"] = layer.counts
        if layer.spikes is not None:
            arrays[f"snn.spikes.{index}"] = layer.spikes
    return arrays

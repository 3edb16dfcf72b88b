"""``onnx2snn simulate``: run a spiking network over samples and keep what it did."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from onnx2snn.cli.early_exit import Calibration, Every, ExitOptions, MaxLoss, Rule, Threshold
from onnx2snn.cli.options import (
    AsJson,
    Backend,
    Data,
    Layout,
    Mean,
    Memory,
    Scale,
    Size,
    SpikingFile,
    Std,
    Threads,
    Timesteps,
    Weights,
    WeightsChoice,
    backend_name,
    image_options,
)

if TYPE_CHECKING:
    from onnx2snn.ir.model import SpikingModel
    from onnx2snn.runtime.data.array_files import Arrays
    from onnx2snn.runtime.runs.simulate import Simulation


class Record(StrEnum):
    """What is kept of the spikes."""

    SPIKES = "spikes"
    COUNTS = "counts"
    NONE = "none"


def simulate(
    snn: SpikingFile,
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.npz", dir_okay=False, help="The result.")
    ],
    timesteps: Timesteps = None,
    early_exit: Rule = None,
    calibration: Calibration = None,
    max_loss: MaxLoss = "0.5%",
    exit_threshold: Threshold = None,
    exit_every: Every = 1,
    backend: Backend = "auto",
    weights: Weights = WeightsChoice.FLOAT32,
    record: Annotated[
        Record, typer.Option("--record", help="Keep spike trains, spike counts, or neither.")
    ] = Record.COUNTS,
    memory: Memory = "2GiB",
    threads: Threads = 0,
    as_json: AsJson = False,
    size: Size = None,
    mean: Mean = "0",
    std: Std = "1",
    layout: Layout = None,
    scale: Scale = "1/255",
) -> None:
    """Run a spiking network over samples; write its outputs and spikes to an .npz file.

    The file holds the outputs by name, and of each layer i: its name in snn.layers, events per
    timestep in snn.events, signed spike counts in snn.counts.i, spike trains in snn.spikes.i; under
    early exit the timesteps that the samples left after in snn.exits.
    """
    from onnx2snn.cli.output import progress
    from onnx2snn.cli.samples import read_samples
    from onnx2snn.ir.model import SpikingModel
    from onnx2snn.runtime.data.array_files import write_npz
    from onnx2snn.runtime.runs.simulate import simulate as run

    backend = backend_name(backend, weights)
    images = image_options(size, mean, std, layout, scale)
    leaving = ExitOptions(early_exit, calibration, max_loss, exit_threshold, exit_every)
    model = SpikingModel.load(snn)
    with progress(f"simulate {snn.name}") as move:
        samples = read_samples(data, model, images, move)
        simulation = run(
            model,
            samples.arrays,
            timesteps=timesteps,
            backend=backend,
            record=_recording(record),
            early_exit=leaving.find(
                model,
                images,
                timesteps or model.manifest.timesteps,
                backend,
                memory,
                threads,
                move,
            ),
            memory=memory,
            threads=threads,
            progress=lambda done, total: move("samples", done / total),
        )
    write_npz(output, _arrays(simulation))
    _tell(model, simulation, output, as_json)


def _recording(record: Record) -> Literal["none", "counts", "spikes"]:
    return "none" if record is Record.NONE else ("counts" if record is Record.COUNTS else "spikes")


def _arrays(simulation: Simulation) -> Arrays:
    import numpy as np

    arrays: Arrays = dict(simulation.outputs)
    arrays["snn.timesteps"] = np.asarray(simulation.timesteps)
    if simulation.exits is not None:
        arrays["snn.exits"] = simulation.exits
    if simulation.layers:
        layers = simulation.layers
        arrays["snn.layers"] = np.array(list(layers), dtype=np.str_)
        arrays["snn.events"] = np.stack([layer.events for layer in layers.values()])
        arrays["snn.negative"] = np.stack([layer.negative for layer in layers.values()])
        for index, layer in enumerate(layers.values()):
            arrays[f"snn.counts.{index}"] = layer.counts
            if layer.spikes is not None:
                arrays[f"snn.spikes.{index}"] = layer.spikes
    return arrays


def _tell(model: SpikingModel, simulation: Simulation, output: Path, as_json: bool) -> None:
    from onnx2snn.cli.output import cell, facts, print_json, results, table
    from onnx2snn.runtime.reports.numerals import amount, figure, size

    layers = {
        name: {
            "neurons": int(layer.counts[0].size),
            "events_per_sample": float(layer.events.sum() / simulation.samples),
            "negative_share": float(layer.negative.sum() / max(layer.events.sum(), 1.0)),
        }
        for name, layer in simulation.layers.items()
    }
    record = {
        "model": model.manifest.source.name,
        "output": str(output),
        "backend": simulation.backend,
        "samples": simulation.samples,
        "timesteps": simulation.timesteps,
        "stimulus_steps": simulation.stimulus_steps,
        "mean_timesteps": simulation.mean_timesteps,
        "events_per_sample": simulation.events / simulation.samples if layers else None,
        "layers": [{"name": name, **values} for name, values in layers.items()],
    }
    if as_json:
        print_json(record)
        return
    console = results(as_json)
    pairs = [
        ("samples", simulation.samples),
        ("timesteps", f"T = {simulation.timesteps}, S = {simulation.stimulus_steps}"),
    ]
    pairs.append(("backend", simulation.backend))
    if simulation.exits is not None:
        pairs.append(("early exit", f"mean T = {figure(simulation.mean_timesteps, 3)}"))
    console.print(facts(pairs))
    if layers:
        rows = [
            (
                name,
                values["neurons"],
                amount(values["events_per_sample"]),
                figure(values["events_per_sample"] / values["neurons"]),
            )
            for name, values in layers.items()
        ]
        heads = ("layer", "neurons", "events per sample", "events per neuron")
        console.print()
        console.print(table(heads, rows, numeric=3))
    console.print()
    console.print(cell(f"wrote {output} ({size(output.stat().st_size)})", "bold"), soft_wrap=True)

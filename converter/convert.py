"""The line: from a trained ONNX model to a spiking one. This file reads as the design does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.converter.canonicalise import Canonical, canonicalise
from onnx2snn.converter.correct_bias import correct_bias
from onnx2snn.converter.emit import Ingredients, emit_spiking_graph
from onnx2snn.converter.graphs import to_model
from onnx2snn.converter.input_grid import InputGrid, find_grid
from onnx2snn.converter.layout import folds
from onnx2snn.converter.network import PlannedNetwork, plan_spiking_network
from onnx2snn.converter.presets import Preset, find_preset
from onnx2snn.converter.read import Source, read_model
from onnx2snn.converter.report import ConversionReport
from onnx2snn.converter.samples import Samples, given_samples, synthetic_samples
from onnx2snn.converter.search_timesteps import search_timesteps
from onnx2snn.converter.segments import affine_constants
from onnx2snn.converter.sites import NeuronParameters, activation_neuron, input_neuron
from onnx2snn.converter.statistics import batch_size, measure, split_batches
from onnx2snn.ir.errors import DataError, UnsupportedOpError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.manifest import Manifest, NodeFate, SourceModel
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.seal import seal
from onnx2snn.ir.session import Session, Tensors

ModelLike = str | os.PathLike[str] | bytes | onnx.ModelProto
SampleData = Mapping[str, NDArray[Any]] | NDArray[Any]
Progress = Callable[[str, float], None]

MEASURE_BYTES = 256 * 2**20
CORRECTION_SAMPLES = 64


def convert(
    model: ModelLike,
    *,
    calibration: SampleData | None = None,
    preset: str | Preset = "graded",
    timesteps: int | None = None,
    stimulus: int | None = None,
    max_loss: float | None = None,
    strict: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    **knobs: Any,
) -> tuple[SpikingModel, ConversionReport]:
    """Convert a trained ONNX network into a spiking neural network.

    Args:
        model: path, bytes or ``ModelProto`` of the ANN.
        calibration: samples as the ANN's inputs, [N, *F] by input name (or one array for a model
            with one input); without them thresholds rest on noise, and the manifest says so.
        preset: name of a preset, or one of your own.
        timesteps: default T of the file; the preset's if not given.
        stimulus: stimulus steps S; the preset's if not given.
        max_loss: find the smallest T whose loss against the ANN on the calibration data is at
            most this (share of changed top-1, or relative error where nothing classifies).
        strict: refuse, naming every operator that would not spike.
        seed: seed of synthetic samples.
        progress: called with the stage and the share done.
        **knobs: any other field of :class:`Preset`, overriding the preset.

    Returns:
        The spiking model and the account of its making.

    Raises:
        ModelError: the model cannot be read or converted; all problems at once.
        DataError: the calibration data does not fit.
    """
    clock = _Stopwatch(progress)
    knobs_set = _resolve(preset, timesteps=timesteps, stimulus=stimulus, **knobs)
    with clock.stage("read"):
        source = read_model(model)
    with clock.stage("canonicalise"):
        canonical = canonicalise(source, input_shapes=_shapes(calibration))
    with clock.stage("plan"):
        samples = _samples(canonical.model, calibration, seed)
        grids = _grids(samples, knobs_set)
        network = plan_spiking_network(canonical.model, knobs_set, grids, samples.first(1))
    with clock.stage("measure"):
        neurons = _set_thresholds(network, samples, grids, knobs_set)
    with clock.stage("split constants"):
        currents = affine_constants(network.model, network.stateful_outputs, network.segment_ends)
        if knobs_set.bias_correction:
            currents = _correct(network, neurons, currents, samples, knobs_set)
    with clock.stage("emit"):
        manifest = _manifest(source, canonical, network, samples, grids, knobs_set, seed)
        _refuse_analog(manifest, strict)
        spiking = _emit(network, neurons, currents, manifest, samples, knobs_set)
    if max_loss is not None:
        with clock.stage("search timesteps"):
            spiking, search = search_timesteps(spiking, source.model, samples.feeds, max_loss)
    else:
        search = ()
    report = ConversionReport(
        manifest=spiking.manifest,
        neurons=sum(int(np.prod(site.shape[1:])) for site in network.sites),
        neuron_layers=len(network.sites),
        seconds=clock.seconds,
        search=search,
    )
    return spiking, report


class _Stopwatch:
    """Times the stages and reports progress."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        if self._progress is not None:
            self._progress(name, 0.0)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 4)
        if self._progress is not None:
            self._progress(name, 1.0)


def _resolve(preset: str | Preset, **overrides: Any) -> Preset:
    """Return the preset with the given fields replaced, validated again."""
    chosen = find_preset(preset) if isinstance(preset, str) else preset
    given = {name: value for name, value in overrides.items() if value is not None}
    unknown = sorted(set(given) - set(Preset.model_fields))
    if unknown:
        raise DataError(
            f"unknown option(s): {', '.join(unknown)}",
            remedy=f"the knobs of a conversion are: {', '.join(Preset.model_fields)}",
        )
    return Preset.model_validate({**chosen.model_dump(), **given})


def _shapes(calibration: SampleData | None) -> dict[str, tuple[int, ...]] | None:
    if isinstance(calibration, Mapping):
        return {name: np.asarray(values).shape for name, values in calibration.items()}
    return None


def _samples(model: onnx.ModelProto, calibration: SampleData | None, seed: int) -> Samples:
    if calibration is None:
        return synthetic_samples(model, seed)
    return given_samples(model, calibration)


def _grids(samples: Samples, preset: Preset) -> dict[str, InputGrid]:
    if preset.input_coding == "direct":
        return {}
    return {
        name: find_grid(np.asarray(values, np.float32)) for name, values in samples.feeds.items()
    }


def _set_thresholds(
    network: PlannedNetwork, samples: Samples, grids: dict[str, InputGrid], preset: Preset
) -> dict[str, NeuronParameters]:
    """Measure every layer on the calibration data and set its quanta."""
    inner = [site for site in network.sites if site.role != "input"]
    targets = {site.target: site.axis for site in inner}
    size = batch_size(network.shapes, list(targets), MEASURE_BYTES)
    statistics = measure(
        Session(to_model(network.graph, list(targets))),
        lambda: split_batches(samples.feeds, size),
        targets,
        histograms=preset.threshold_rule != "maximum",
    )
    neurons = {
        site.name: activation_neuron(site, statistics[site.target], preset) for site in inner
    }
    inputs = [site for site in network.sites if site.role == "input"]
    for site, grid in zip(inputs, grids.values(), strict=True):
        neurons[site.name] = input_neuron(grid, preset, len(site.shape))
    return neurons


def _correct(
    network: PlannedNetwork,
    neurons: dict[str, NeuronParameters],
    currents: dict[str, NDArray[np.float32]],
    samples: Samples,
    preset: Preset,
) -> dict[str, NDArray[np.float32]]:
    steps = preset.stimulus or preset.levels
    few: Tensors = samples.first(CORRECTION_SAMPLES)
    return correct_bias(network.model, network.sites, neurons, currents, few, steps)


def _emit(
    network: PlannedNetwork,
    neurons: dict[str, NeuronParameters],
    currents: dict[str, NDArray[np.float32]],
    manifest: Manifest,
    samples: Samples,
    preset: Preset,
) -> SpikingModel:
    parts = Ingredients(
        plan=network.plan,
        sites=network.sites,
        neurons=neurons,
        currents=currents,
        pooling=preset.pooling,
        timesteps=manifest.timesteps,
        stimulus=manifest.stimulus,
        shapes=network.shapes,
    )
    spiking = seal(emit_spiking_graph(network.graph, parts), manifest)
    if folds(spiking, samples.first(8)):
        return spiking
    from onnx2snn.ir.derive.scan import to_scan

    return to_scan(spiking)


def _refuse_analog(manifest: Manifest, strict: bool) -> None:
    if strict and manifest.analog_ops:
        raise UnsupportedOpError(
            f"--strict: {len(manifest.analog_ops)} node(s) would not spike",
            remedy="convert without --strict, or choose spiking input coding",
            findings=[
                Finding(code="analog-op", severity="error", message="is analog", node=name)
                for name in manifest.analog_ops
            ],
        )


def _manifest(
    source: Source,
    canonical: Canonical,
    network: PlannedNetwork,
    samples: Samples,
    grids: dict[str, InputGrid],
    preset: Preset,
    seed: int,
) -> Manifest:
    folded = [
        NodeFate(node=change.node, op=change.op, fate="folded", detail=change.became)
        for change in canonical.changes
    ]
    moved = {change.node: change.became for change in network.changes}
    planned = [
        fate.model_copy(update={"detail": moved.get(fate.node, fate.detail)})
        for fate in network.plan.fates.values()
    ]
    findings = [*source.findings, *canonical.findings, *network.plan.findings]
    return Manifest(
        producer=f"onnx2snn {_version()}",
        source=SourceModel(name=source.name, sha256=source.sha256, opset=source.opset),
        preset=preset.name,
        timesteps=preset.timesteps,
        stimulus=preset.stimulus,
        alphabet=preset.alphabet,
        digits=preset.digits,
        input_coding=_input_coding(grids, preset),
        threshold_rule=preset.threshold_rule,
        levels=preset.levels,
        bias_correction=preset.bias_correction,
        calibration=samples.source,
        seed=seed,
        analog_ops=()
        if grids
        else tuple(f"{t.name} (DirectCurrent)" for t in network.graph.inputs),
        nodes=(*folded, *planned),
        findings=(*findings, *_input_findings(grids, samples)),
    )


def _input_coding(grids: dict[str, InputGrid], preset: Preset) -> str:
    if not grids:
        return "direct current (analog first layer)"
    if all(grid.lossless for grid in grids.values()):
        return f"graded bit-planes, lossless on the data's grid, k = {preset.input_digits}"
    return f"graded spikes on a fine signed grid, k = {preset.input_digits}"


def _input_findings(grids: dict[str, InputGrid], samples: Samples) -> list[Finding]:
    findings = []
    if samples.source.kind == "synthetic":
        findings.append(
            Finding(
                code="synthetic-calibration",
                severity="warning",
                message="thresholds rest on synthetic noise: no calibration data was given",
                remedy="pass 100 or more representative samples (--calibration)",
            )
        )
    for name, grid in grids.items():
        if not grid.lossless:
            step = float(np.max(grid.quantum))
            findings.append(
                Finding(
                    code="input-quantised",
                    message=f"input '{name}' lies on no 8-bit grid; its spikes round to {step:.3g}",
                )
            )
    return findings


def _version() -> str:
    try:
        return version("onnx2snn")
    except PackageNotFoundError:
        return "0+unknown"

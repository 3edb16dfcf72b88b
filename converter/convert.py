"""The line: from a trained ONNX model to a spiking one. This file reads as the design does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.converter.ann_functions import ANN_FUNCTIONS, inline
from onnx2snn.converter.calibration.input_grid import InputGrid, find_grid
from onnx2snn.converter.calibration.own_grid import own_grid
from onnx2snn.converter.calibration.samples import (
    SampleData,
    Samples,
    given_samples,
    sample_shapes,
    synthetic_samples,
)
from onnx2snn.converter.calibration.search_timesteps import search_timesteps
from onnx2snn.converter.calibration.statistics import (
    ChannelStatistics,
    batch_size,
    measure,
)
from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.corrections.compensation import compensate
from onnx2snn.converter.corrections.correct import correct
from onnx2snn.converter.describe import describe
from onnx2snn.converter.graph.import_graph import import_graph
from onnx2snn.converter.graph.segments import affine_constants
from onnx2snn.converter.graph.to_model import to_model
from onnx2snn.converter.input_codings import InputCoder, input_coder
from onnx2snn.converter.judging.layer_errors import SAMPLES as ERROR_SAMPLES
from onnx2snn.converter.judging.layer_errors import measure_layer_errors
from onnx2snn.converter.judging.layout import can_fold, lay_out
from onnx2snn.converter.planning.emit import Ingredients, emit_spiking_graph
from onnx2snn.converter.planning.network import PlannedNetwork, plan_spiking_network
from onnx2snn.converter.planning.plan import frontier, plan_network
from onnx2snn.converter.planning.schedule import fit_schedule
from onnx2snn.converter.planning.sites import NeuronParameters, activation_neuron
from onnx2snn.converter.presets import Preset
from onnx2snn.converter.read_outs.leaky import add_leaky_read_out
from onnx2snn.converter.report import ConversionReport, LayerError
from onnx2snn.converter.source.read import ModelLike, read_model
from onnx2snn.converter.thresholds.threshold_relu import clip_activations
from onnx2snn.converter.unit_spikes.normalise import normalise_to_unit_spikes
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.manifest import MANIFEST_KEY, Manifest
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.seal import seal
from onnx2snn.ir.session import Session
from onnx2snn.ir.stored_weights import WeightFile

Progress = Callable[[str, float], None]

MEASURE_BYTES = 256 * 2**20
SYNTHETIC_HEADROOM = 64
READ_OUT_BATCH = 32
GRID_SAMPLES = 64


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
    library: str | None = None,
    layer_errors: bool = False,
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
        seed: seed of synthetic samples and of Poisson spikes.
        library: custom-op library of compiled neurons for corrections that simulate, see
            :func:`onnx2snn.runtime.custom_ops_path`; same result without it, only slower.
        layer_errors: measure the error of every layer for the report.
        progress: called with the stage and the share done.
        **knobs: any other field of :class:`Preset`, overriding the preset.

    Returns:
        The spiking model and the account of its making.

    Raises:
        ModelError: the model cannot be read or converted; all problems at once.
        DataError: the calibration data does not fit.
    """
    clock = _Stopwatch(progress)
    settings = _resolve(preset, timesteps=timesteps, stimulus=stimulus, **knobs)
    asked = settings.knobs
    coder = input_coder(settings)
    with clock.stage("read"):
        weights = WeightFile()  # goes on with the spiking model
        source = read_model(model, weights=weights)
    with clock.stage("canonicalise"):
        canonical = canonicalise(source, input_shapes=sample_shapes(source.model, calibration))
    with clock.stage("plan"):
        samples = _samples(canonical.model, calibration, seed)
        settings = _more_headroom(settings, samples)
        grids = _grids(canonical.model, samples, coder)
        network = plan_spiking_network(
            canonical.model,
            settings,
            grids,
            samples.first(1),
            batch_free=canonical.batch_free,
        )
        settings = fit_schedule(settings, network.sites)
    with clock.stage("measure"):
        statistics = _measure(network, samples, settings)
        if settings.threshold_rule == "threshold-relu":
            statistics = clip_activations(network.model, network.sites, statistics, samples)
        neurons = {
            **_set_thresholds(network, statistics, settings),
            **_encode(network, grids, coder, settings, seed),
        }
    with clock.stage("split constants"):
        currents = affine_constants(
            network.model, network.stateful_outputs, network.segment_ends, samples.first(1)
        )
    with clock.stage("emit"):
        manifest = describe(source, canonical, network, samples, grids, neurons, settings, seed)
        manifest = manifest.model_copy(update={"knobs": asked})
        _refuse_analog(manifest, strict)
        spiking = _emit(network, neurons, currents, manifest, settings)
    with clock.stage("correct"):
        if settings.corrects:
            # To correct at T needs a run of the folded model.
            settled = settings.corrected_at == "rest" or not can_fold(
                spiking, canonical.model, samples.first(8)
            )
            spiking = correct(
                spiking,
                network,
                statistics,
                samples,
                preset=settings,
                settled=settled,
                library=library,
            )
        if settings.compensation:
            told = "no factor was searched: time cannot be folded into the batch of this network"
            if can_fold(spiking, canonical.model, samples.first(8)):
                spiking, factor = compensate(spiking, canonical.model, samples, library=library)
                told = f"all weights are enlarged by {factor:g}"
            spiking = with_finding(spiking, Finding(code="compensation", message=told))
    with clock.stage("train read-out"):
        if settings.read_out == "lif-stdp":
            spiking = add_leaky_read_out(
                spiking, samples.batches(READ_OUT_BATCH), leak=settings.leak, library=library
            )
    errors: tuple[LayerError, ...] = ()
    if layer_errors:
        with clock.stage("measure errors"):
            few = samples.first(ERROR_SAMPLES if canonical.batch_free else 1)
            errors = measure_layer_errors(spiking, network, currents, few)
    with clock.stage("lay out"):
        spiking = lay_out(spiking, canonical.model, samples.first(8))
        if settings.unit_spikes:
            spiking = normalise_to_unit_spikes(spiking)
    if max_loss is not None:
        with clock.stage("search timesteps"):
            spiking, search = search_timesteps(spiking, canonical.model, samples, max_loss)
    else:
        search = ()
    spiking = SpikingModel(spiking.light, weights)
    report = ConversionReport(
        manifest=spiking.manifest,
        neurons=sum(int(np.prod(site.shape[1:])) for site in network.sites),
        neuron_layers=len(network.sites),
        seconds=clock.seconds,
        search=search,
        layer_errors=errors,
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
    return chosen.replaced(given)


def _samples(model: onnx.ModelProto, calibration: SampleData | None, seed: int) -> Samples:
    if calibration is None:
        return synthetic_samples(model, seed)
    return given_samples(model, calibration)


def _more_headroom(preset: Preset, samples: Samples) -> Preset:
    """Leave room for activations that noise does not show; only graded counts have it for free."""
    if samples.source.kind == "synthetic" and preset.alphabet == "graded":
        return preset.model_copy(update={"headroom": max(preset.headroom, SYNTHETIC_HEADROOM)})
    return preset


def _grids(model: onnx.ModelProto, samples: Samples, coder: InputCoder) -> dict[str, InputGrid]:
    """Find the grid of every tensor that becomes a stream; none for an analog first layer.

    It is the network's own, where an int8 network rounds its input, and else the data's.
    """
    if coder.encoder is None:
        return {}
    graph = import_graph(model)
    plan = plan_network(graph)
    own = {tensor.name: own_grid(tensor, plan) for tensor in frontier(graph, plan)}
    names = [name for name, grid in own.items() if grid is None]
    computed = [name for name in names if name not in samples.feeds]
    few = samples.first(GRID_SAMPLES)
    values = Session(to_model(graph, computed)).run(few, computed) if computed else {}
    found = {**samples.feeds, **values}
    return {name: grid or find_grid(np.asarray(found[name])) for name, grid in own.items()}


def _measure(
    network: PlannedNetwork, samples: Samples, preset: Preset
) -> dict[str, ChannelStatistics]:
    """Measure the activation of every site but the inputs, by site name."""
    inner = {site.target: site for site in network.sites if site.role != "input"}
    axes = {target: site.axis for target, site in inner.items()}
    size = batch_size(network.shapes, list(axes), MEASURE_BYTES)
    measured = measure(
        Session(to_model(network.graph, list(axes))),
        lambda: samples.batches(size),
        axes,
        histograms=preset.threshold_rule not in ("maximum", "threshold-relu"),
    )
    return {inner[target].name: statistics for target, statistics in measured.items()}


def _set_thresholds(
    network: PlannedNetwork,
    statistics: Mapping[str, ChannelStatistics],
    preset: Preset,
) -> dict[str, NeuronParameters]:
    """Set quantum and bounds of every layer but the inputs."""
    return {
        site.name: activation_neuron(site, statistics[site.name], preset)
        for site in network.sites
        if site.role != "input"
    }


def _encode(
    network: PlannedNetwork,
    grids: Mapping[str, InputGrid],
    coder: InputCoder,
    preset: Preset,
    seed: int,
) -> dict[str, NeuronParameters]:
    """Return the encoder of every input; the k-th draws its random numbers from seed + k."""
    if coder.encoder is None:
        return {}
    return {
        name: coder.encoder(grids[tensor], preset, seed + k)
        for k, (name, tensor) in enumerate(network.inputs.items())
    }


def _emit(
    network: PlannedNetwork,
    neurons: dict[str, NeuronParameters],
    currents: dict[str, NDArray[np.float32]],
    manifest: Manifest,
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
        dims=network.dims,
        temporal_bias=preset.temporal_bias,
    )
    foreign = {entry.domain: entry.version for entry in network.model.opset_import}
    return seal(inline(emit_spiking_graph(network.graph, parts), ANN_FUNCTIONS), manifest, foreign)


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


def with_finding(model: SpikingModel, finding: Finding) -> SpikingModel:
    """Return the model with one more finding in its manifest."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model.light)
    findings = (*model.manifest.findings, finding)
    manifest = model.manifest.model_copy(update={"findings": findings})
    for entry in proto.metadata_props:
        if entry.key == MANIFEST_KEY:
            entry.value = manifest.model_dump_json()
    return SpikingModel(proto, model.weights)

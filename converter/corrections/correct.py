"""All corrections of a conversion, in one walk over the layers of the spiking network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnx2snn.converter.calibration.samples import Samples
from onnx2snn.converter.calibration.statistics import ChannelStatistics
from onnx2snn.converter.corrections.bias import correct_bias
from onnx2snn.converter.corrections.layerwise import LayerWalk
from onnx2snn.converter.corrections.temporal_bias import correct_temporal_bias
from onnx2snn.converter.planning.network import PlannedNetwork
from onnx2snn.converter.presets import Preset
from onnx2snn.ir.model import SpikingModel

MOST_SAMPLES = 64
"""With 32 samples the rate preset loses 0.7 points at T = 128, with 64 none (ResNet-20)."""
MOST_BYTES = 2**30
"""Size of the widest stream, which limits the samples of large networks."""
FEWEST_SAMPLES = 8


def correct(
    model: SpikingModel,
    network: PlannedNetwork,
    statistics: Mapping[str, ChannelStatistics],
    samples: Samples,
    *,
    preset: Preset,
    settled: bool,
    library: str | None = None,
) -> SpikingModel:
    """Return the model with corrected constants.

    Args:
        model: a sealed model in the folded layout.
        network: the ANN with its sites.
        statistics: of the ANN's activations, by site name.
        samples: calibration data.
        preset: says which corrections.
        settled: compare settled values; otherwise the values after the model's default T.
        library: custom-op library that runs neurons compiled, if there is one.
    """
    neurons = [site for site in network.sites if site.role == "neuron"]
    # Steps that were trained (QCFS) are exact at rest. Rate coding never rests: it is corrected.
    never_rests = model.manifest.stimulus is None and not settled
    inexact = {site.name for site in neurons if site.activation.levels is None or never_rests}
    if not preset.temporal_bias:
        neurons = [site for site in neurons if site.name in inexact]
    if not neurons:
        return model
    widest = max(int(np.prod(site.shape)) * 4 for site in network.sites)
    held = MOST_BYTES // (widest * (1 if settled else model.manifest.timesteps))
    few = samples.first(max(FEWEST_SAMPLES, min(MOST_SAMPLES, held)))
    axes = {site.name: site.axis for site in neurons}
    walk = LayerWalk(model, few, axes, settled=settled, library=library)
    for run in walk:
        mean = statistics[run.layer.name].mean
        if preset.bias_correction and run.layer.name in inexact:
            correct_bias(run, mean)
        if preset.temporal_bias:
            correct_temporal_bias(run, mean)
    return walk.result()

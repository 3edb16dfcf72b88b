"""Sites: where a neuron will stand, and the parameters that calibration gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.activations import Activation
from onnx2snn.converter.calibration.statistics import ChannelStatistics
from onnx2snn.converter.presets import Preset
from onnx2snn.converter.thresholds import activation_range
from onnx2snn.ir.manifest import Fate
from onnx2snn.ir.ops import (
    GradedIntegrateFire,
    HardResetIntegrateFire,
    IntegrateFire,
    Neuron,
    ScheduledGradedIntegrateFire,
    ScheduledIntegrateFire,
    ScheduledSignedIntegrateFire,
    SignedIntegrateFire,
    SpikingOp,
)
from onnx2snn.ir.types import Array

UNLIMITED = float(2**22)
"""A bound no count reaches; integers up to it are exact in float32."""


@dataclass(frozen=True)
class Site:
    """A place for a layer of neurons in the planned ANN.

    Attributes:
        name: the node, an activation or an encoder.
        role: ``neuron``, ``encoder`` or ``input``.
        activation: what it computes.
        source: tensor it reads.
        target: tensor it computes.
        axis: channel axis of both.
        shape: shape of the tensor at batch 1.
        depth: layers of neurons before it, input encoders not counted.
        counted: its spikes are counted by a read-out, channel against channel: all channels share
            one quantum, and the range is the greatest value, so that no two classes saturate.
    """

    name: str
    role: Fate
    activation: Activation
    source: str
    target: str
    axis: int
    shape: tuple[int, ...]
    depth: int = 0
    counted: bool = False


@dataclass(frozen=True)
class NeuronParameters:
    """A neuron and its constants; ``current`` is filled in when affine constants are split off.

    Attributes:
        op: the neuron.
        quantum: threshold theta, broadcastable to the layer.
        n_min: lower bound on the count.
        n_max: upper bound on the count.
        attributes: attributes of the node.
        constants: further inputs of the operator by formal name (input codings have some).
        shift: added to the constant current, broadcastable to the layer.
    """

    op: SpikingOp
    quantum: Array
    n_min: float
    n_max: float
    attributes: Mapping[str, float]
    constants: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    shift: Array = field(default_factory=lambda: np.zeros((), np.float32))


def activation_neuron(
    site: Site, statistics: ChannelStatistics, preset: Preset
) -> NeuronParameters:
    """Choose neuron, quantum and bounds for an activation or a synapse encoder.

    The quantum of values is range / levels. Quanta are charge: with S stimulus steps the charge of
    a value is S times it, so theta = S range / levels; for S = T (rate) a spike a timestep must
    express the whole range, so theta = range. An activation with steps of its own (QCFS) brings
    range and levels with it.
    """
    activation = site.activation
    levels = activation.levels or preset.grid_levels
    span = _span(activation, statistics, preset)
    if site.counted:
        span = np.full_like(span, float(statistics.reach.max(initial=0.0)) or 1.0) * preset.margin
    scale = 1.0 if preset.stimulus is None else preset.stimulus / levels
    shape = tuple(-1 if axis == site.axis else 1 for axis in range(len(site.shape)))
    quantum = (span * scale).astype(np.float32).reshape(shape)
    reach = levels * (1 if _is_bounded(activation) else preset.headroom)
    n_max = float(reach) if preset.stimulus is not None else UNLIMITED
    n_min = -n_max if activation.signed else 0.0
    if activation.levels is not None:
        n_min = float(round(activation.lower / activation.upper * n_max))
    if preset.memory == "none":
        n_min, n_max = -UNLIMITED, UNLIMITED
    op = _neuron(activation, preset)
    attributes = _attributes(op, site, preset)
    shift = np.zeros((), np.float32)
    if preset.shift == "bias" and "initial_potential" in attributes and not activation.soma.name:
        steps = preset.stimulus or preset.timesteps
        shift = np.asarray(quantum * np.float32(attributes["initial_potential"] / steps))
        attributes["initial_potential"] = 0.0
    return NeuronParameters(op, quantum, n_min, n_max, attributes, shift=shift)


def _span(
    activation: Activation, statistics: ChannelStatistics, preset: Preset
) -> NDArray[np.float64]:
    """Return the range of values per channel [C] that ``levels`` quanta divide.

    It is calibrated, but never wider than the activation's own; that one is taken where steps are
    exact, where it costs nothing (headroom), and where a soma saturates by itself: a sigmoid that
    was small on the calibration data need not stay so.
    """
    if activation.levels is not None:
        return np.full_like(statistics.reach, activation.upper)
    span = activation_range(statistics, preset)
    if not _is_bounded(activation):
        return span
    bound = max(abs(activation.lower), abs(activation.upper))
    own = preset.headroom > 1 or not activation.soma.homogeneous
    return np.full_like(span, bound) if own else np.minimum(span, bound)


def _is_bounded(activation: Activation) -> bool:
    """Whether its values cannot leave a finite interval."""
    unsigned = not activation.signed or np.isfinite(activation.lower)
    return bool(np.isfinite(activation.upper) and unsigned)


def _neuron(activation: Activation, preset: Preset) -> Neuron:
    """Choose the neuron of the preset's alphabet.

    A binary neuron cannot take a spike back, so it needs a target that only rises with its input's
    sum. With a soma (of a Sigmoid, say) the target may fall while the estimate settles, and with
    negative values it must: there, a signed neuron stands in, also among binary ones.
    """
    scheduled = preset.scheduled
    if preset.alphabet == "graded":
        graded = ScheduledGradedIntegrateFire if scheduled else GradedIntegrateFire
        return graded(activation.soma, preset.digits)
    if preset.alphabet == "binary" and not activation.signed and not activation.soma.name:
        if preset.reset == "hard":
            return HardResetIntegrateFire()
        # A run longer than the stimulus needs the bound on the count.
        bounded = scheduled or preset.stimulus is not None
        return ScheduledIntegrateFire() if bounded else IntegrateFire()
    return (ScheduledSignedIntegrateFire if scheduled else SignedIntegrateFire)(activation.soma)


def _attributes(op: Neuron, site: Site, preset: Preset) -> dict[str, float]:
    values = {
        "initial_potential": preset.initial_potential,
        "negative_threshold": preset.negative_threshold,
        "silent_steps": float(preset.hold * site.depth),
        "switch_off": float(preset.switch_off),
    }
    return {name: values[name] for name in op.attributes}

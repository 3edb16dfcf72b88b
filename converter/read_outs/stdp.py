"""Spike-timing-dependent plasticity: unsupervised training of a leaky layer on spike trains.

For every pair of a presynaptic spike at t_j and a postsynaptic spike at t_i (all pairs),

    W_ij += A_+ exp(-(t_i - t_j) / tau_+)     t_i > t_j: the input came first, it is strengthened
    W_ij += A_- exp( (t_i - t_j) / tau_-)     t_i < t_j: it came too late, it is weakened (A_- < 0)

A pair of the same timestep changes nothing. Source: seed 3 (He et al. 2024), eqs. 19 and 20; there
the second exponent is printed with the sign of the first, which would grow without bound.

Seed 3 leaves open what keeps the weights bounded and how an output neuron gets its class. Here the
weights start as the identity, so output neuron i stands for class i from the beginning and no
label is ever used; they stay in [0, 1], and after every sample the weights of each neuron are
scaled back to a sum of 1, so that none can win by strength alone. Negative presynaptic spikes (of
ternary neurons) inhibit and do not learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class StdpRule:
    """The constants of the rule; times in timesteps.

    Attributes:
        potentiation: A_+, greater than 0.
        depression: A_-, less than 0.
        tau_plus: time constant of the strengthening.
        tau_minus: time constant of the weakening.
    """

    potentiation: float = 0.005
    depression: float = -0.005
    tau_plus: float = 4.0
    tau_minus: float = 4.0


def train_stdp(
    spikes: NDArray[np.generic],
    weights: Weights,
    *,
    threshold: float,
    leak: float,
    rule: StdpRule | None = None,
) -> Weights:
    """Return the weights after one pass over the samples.

    The layer is that of :mod:`onnx2snn.ir.ops.leaky_integrate_fire`, with inputs of size 1. It
    starts from rest for every sample.

    Args:
        spikes: presynaptic spikes, -1, 0 or 1, [T, N, K].
        weights: [I, K], row i the synapses of output neuron i.
        threshold: of the output neurons.
        leak: gamma.
        rule: constants of the rule.
    """
    rule = rule or StdpRule()
    trained = np.array(weights, np.float64)
    for sample in np.moveaxis(np.asarray(spikes, np.float64), 1, 0):
        trained += _changes(sample, trained, threshold, leak, rule)
        trained = np.clip(trained, 0.0, 1.0)
        trained /= np.maximum(trained.sum(axis=1, keepdims=True), 1e-9)
    return trained


def _changes(
    sample: NDArray[np.float64], weights: Weights, threshold: float, leak: float, rule: StdpRule
) -> Weights:
    """Return the sum over all pairs of one sample [T, K]; traces hold the exponentials."""
    potential = np.zeros(len(weights))
    pre, post = np.zeros(weights.shape[1]), np.zeros(len(weights))
    change = np.zeros_like(weights)
    for arriving in sample:
        membrane = leak * potential + weights @ arriving
        fired = (membrane >= threshold).astype(np.float64)
        potential = membrane - threshold * fired
        excited = np.maximum(arriving, 0.0)
        pre *= np.exp(-1.0 / rule.tau_plus)
        post *= np.exp(-1.0 / rule.tau_minus)
        change += rule.potentiation * np.outer(fired, pre)
        change += rule.depression * np.outer(post, excited)
        pre += excited
        post += fired
    return change

"""Synapses of spikes as terms of a fused layer."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.runtime.engine.attributes import attributes, window
from onnx2snn.runtime.engine.stream import Emissions, Link, Term

MOST_GROUPS = 4
"""Grouped convolutions up to here run as full ones with zeros; those with more run dense."""


def convolution(
    node: onnx.NodeProto, emissions: Emissions, weights: NDArray[np.float32]
) -> Term | None:
    """Return a Conv as a term; None if the engine has no form for it."""
    given = attributes(node)
    place = window(given, weights.shape[2:])
    groups = int(given.get("group", 1))
    channels = len(emissions.quantum)
    if place is None or emissions.flat or any(node.input[2:]):
        return None
    if weights.shape[1] * groups != channels:
        return None
    if groups == channels == len(weights) and groups > 1:
        scale = emissions.quantum.reshape(-1, *[1] * (weights.ndim - 1))
        return Term(emissions, Link.DEPTHWISE, weights * scale, len(weights), place)
    if groups > MOST_GROUPS:
        return None
    full = np.zeros((len(weights), channels, *weights.shape[2:]), dtype=np.float32)
    out, into = len(weights) // groups, weights.shape[1]
    for g in range(groups):
        full[g * out : (g + 1) * out, g * into : (g + 1) * into] = weights[g * out : (g + 1) * out]
    scale = emissions.quantum.reshape(1, -1, *[1] * (weights.ndim - 2))
    return Term(emissions, Link.CONVOLUTION, full * scale, len(weights), place)


def full(
    node: onnx.NodeProto, emissions: Emissions, weights: NDArray[np.float32], rank: int
) -> Term | None:
    """Return a Gemm or MatMul with weights [K, outputs] (or as ``transB`` says) as a term."""
    given = attributes(node)
    if any(node.input[2:]) or given.get("transA", 0) or weights.ndim != 2 or rank != 2:
        return None
    if not given.get("transB", 0):
        weights = weights.T
    if weights.shape[1] % len(emissions.quantum):
        return None
    places = weights.shape[1] // len(emissions.quantum)
    scale = np.repeat(emissions.quantum, places) * np.float32(given.get("alpha", 1.0))
    return Term(emissions, Link.FULL, weights * scale, len(weights))


def identity(emissions: Emissions) -> Term | None:
    """Return spikes as current, weight 1: what a residual adds."""
    if emissions.flat:
        return None
    return Term(emissions, Link.IDENTITY, emissions.quantum, len(emissions.quantum))

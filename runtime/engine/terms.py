"""Synapses of spikes as terms of a fused layer."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.runtime.engine.attributes import attributes, window
from onnx2snn.runtime.engine.stream import Emissions, Link, Term


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
    depthwise = groups == channels == len(weights) and groups > 1
    per_output = np.repeat(emissions.quantum.reshape(groups, -1), len(weights) // groups, axis=0)
    scale = per_output.reshape(*weights.shape[:2], *[1] * (weights.ndim - 2))
    link = Link.DEPTHWISE if depthwise else Link.CONVOLUTION
    return Term(emissions, link, weights, scale, len(weights), groups, place)


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
    return Term(emissions, Link.FULL, weights, scale, len(weights))


def identity(emissions: Emissions) -> Term | None:
    """Return spikes as current, weight 1: what a residual adds."""
    if emissions.flat:
        return None
    one = np.ones(1, np.float32)
    return Term(emissions, Link.IDENTITY, emissions.quantum, one, len(emissions.quantum))

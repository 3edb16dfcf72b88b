"""Activations: which nodes become neurons. One file a family; the tuple is the default table."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation, ActivationRule
from onnx2snn.converter.activations.clip import match_clip
from onnx2snn.converter.activations.clip_floor import match_clip_floor, match_leaky_clip_floor
from onnx2snn.converter.activations.elu import match_elu
from onnx2snn.converter.activations.gated import match_gated, match_gelu, match_silu
from onnx2snn.converter.activations.leaky_relu import (
    match_capped_leaky_relu,
    match_leaky_relu,
    match_prelu,
)
from onnx2snn.converter.activations.relu import match_relu
from onnx2snn.converter.activations.softplus import match_softplus
from onnx2snn.converter.activations.squashing import match_squashing
from onnx2snn.converter.activations.thresholded_relu import match_thresholded_relu

ACTIVATIONS: tuple[ActivationRule, ...] = (
    match_relu,
    match_clip,
    match_leaky_relu,
    match_prelu,
    match_capped_leaky_relu,
    match_clip_floor,
    match_leaky_clip_floor,
    match_silu,
    match_gated,
    match_gelu,
    match_elu,
    match_softplus,
    match_squashing,
    match_thresholded_relu,
)


def match_activation(
    node: gs.Node, rules: tuple[ActivationRule, ...] = ACTIVATIONS
) -> Activation | None:
    """Return the activation a node computes, by the first rule that knows it."""
    matches = (rule(node) for rule in rules)
    return next((match for match in matches if match is not None), None)


__all__ = ["ACTIVATIONS", "Activation", "ActivationRule", "match_activation"]

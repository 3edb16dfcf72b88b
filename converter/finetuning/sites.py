"""Where fine-tuning puts its activations, and the thresholds it starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import torch

from onnx2snn.converter.activations import match_activation
from onnx2snn.converter.finetuning.network import Network, Parameters

_FRACTIONS = torch.linspace(1.0, 0.05, 96)
_MOST_VALUES = 200_000


@dataclass(frozen=True)
class TrainedSite:
    """An activation that is replaced.

    Attributes:
        node: name of the node.
        op: its operator.
        source: tensor it reads.
        target: tensor it computes.
        alpha: slope below zero: the node's own, or the one given for nodes that have none.
    """

    node: str
    op: str
    source: str
    target: str
    alpha: float


def find_sites(network: Network, slope: float) -> tuple[tuple[TrainedSite, ...], tuple[str, ...]]:
    """Return the activations to replace, and those that stay, as "name (op)".

    ReLU, Clip from 0 on, LeakyReLU, PReLU and the staircases are replaced; smooth activations
    (SiLU, GELU ...) and clips around zero stay what they are.

    Args:
        network: the differentiable network.
        slope: alpha for activations that are zero below zero.
    """
    trained = {node.name for node in network.nodes}
    sites, left = [], []
    for node in gs.import_onnx(network.model).nodes:
        activation = match_activation(node) if node.name in trained else None
        if activation is None:
            continue
        name, leak = activation.soma.name, activation.parameters.get("slope")
        if (name == "PRelu" and leak is not None) or (not name and activation.lower == 0):
            alpha = slope if leak is None else float(np.mean(leak))
            source, target = node.inputs[0].name, node.outputs[0].name
            sites.append(TrainedSite(node.name, node.op, source, target, alpha))
        else:
            left.append(f"{node.name} ({node.op})")
    return tuple(sites), tuple(left)


def initial_thresholds(
    network: Network,
    parameters: Parameters,
    sites: Sequence[TrainedSite],
    feeds: Mapping[str, Any],
    levels: int,
) -> dict[str, Any]:
    """Return a threshold per site, from what the network computes before it is changed.

    theta = argmin over 96 fractions of the maximum of E[(a - Q(a))^2], Q the staircase with L
    levels and a the activation. Source of the rule: Li et al., ICML 2021 (there per channel).

    Args:
        network: the differentiable network.
        parameters: its trained tensors.
        sites: the activations that are replaced.
        feeds: some samples.
        levels: L.
    """
    with torch.no_grad():
        values = network.run(parameters, feeds, keep=tuple(site.target for site in sites))
        return {site.node: _threshold(values[site.target], levels) for site in sites}


def _threshold(activation: Any, levels: int) -> Any:
    sizes = activation.abs().reshape(-1)
    sizes = sizes[:: max(1, len(sizes) // _MOST_VALUES)]
    most = sizes.max()
    if float(most) == 0:
        return torch.ones_like(most)
    best, least = most, torch.inf
    for fraction in _FRACTIONS.tolist():
        step = most * fraction / levels
        rounded = torch.clamp(torch.floor(sizes / step + 0.5), 0, levels) * step
        error = float(((sizes - rounded) ** 2).mean())
        if error < least:
            best, least = most * fraction, error
    return best

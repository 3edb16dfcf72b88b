"""The activations that fine-tuning puts in the place of ReLU and its kin, with learned thresholds.

| name | y | what it becomes as a spiking neuron |
|---|---|---|
| `clipfloor` | theta/L clip(floor(z L/theta + 1/2), 0, L) | integrate-and-fire, exact at rest |
| `leaky-clipfloor` | theta/L clip(floor(h L/theta + 1/2), -L, L) | signed spikes, exact at rest |
| `threshold-relu` | clip(z, 0, theta) | integrate-and-fire with threshold theta |

with h = max(z, 0) + alpha min(z, 0). The threshold theta of each layer is learned as its logarithm,
so it stays positive and a step of the optimiser changes it in proportion. Floor passes gradients
on unchanged (straight-through estimator).
Sources: ClipFloor is QCFS, Bu et al., ICLR 2022, eq. 7-9 (theta = lambda); LeakyClipFloor: double
thresholds, Yu et al. 2022; threshold ReLU: Deng and Gu, ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx
import torch
from onnx import helper

from onnx2snn.converter.ann_functions import ANN_DOMAIN
from onnx2snn.converter.finetuning.operators.staircases import clip_floor, leaky_clip_floor
from onnx2snn.converter.finetuning.settings import ActivationName


@dataclass(frozen=True)
class TrainedActivation:
    """One kind of activation, in PyTorch and in ONNX.

    Attributes:
        apply: ``(z, theta, levels, alpha) -> y``; theta is a positive scalar tensor.
        node: ``(name, z, y, theta, levels, alpha) -> node`` with the name of the tensor theta.
    """

    apply: Callable[[Any, Any, int, float], Any]
    node: Callable[[str, str, str, str, int, float], onnx.NodeProto]


def _clip_floor(z: Any, theta: Any, levels: int, _: float) -> Any:
    return clip_floor(z, theta, levels)


def _clip_floor_node(
    name: str, z: str, y: str, theta: str, levels: int, _: float
) -> onnx.NodeProto:
    return helper.make_node(
        "ClipFloor", [z, theta], [y], name=name, domain=ANN_DOMAIN, levels=levels
    )


def _leaky_clip_floor(z: Any, theta: Any, levels: int, alpha: float) -> Any:
    return leaky_clip_floor(z, theta, levels, levels, alpha)


def _leaky_clip_floor_node(
    name: str, z: str, y: str, theta: str, levels: int, alpha: float
) -> onnx.NodeProto:
    return helper.make_node(
        "LeakyClipFloor",
        [z, theta],
        [y],
        name=name,
        domain=ANN_DOMAIN,
        levels=levels,
        negative_levels=levels,
        alpha=alpha,
    )


def _threshold_relu(z: Any, theta: Any, _: int, __: float) -> Any:
    return torch.minimum(torch.relu(z), theta)


def _threshold_relu_node(
    name: str, z: str, y: str, theta: str, _: int, __: float
) -> onnx.NodeProto:
    return helper.make_node("Clip", [z, f"{theta}.zero", theta], [y], name=name)


TRAINED_ACTIVATIONS: Mapping[ActivationName, TrainedActivation] = {
    "clipfloor": TrainedActivation(_clip_floor, _clip_floor_node),
    "leaky-clipfloor": TrainedActivation(_leaky_clip_floor, _leaky_clip_floor_node),
    "threshold-relu": TrainedActivation(_threshold_relu, _threshold_relu_node),
}

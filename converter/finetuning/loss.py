"""What fine-tuning minimises: the distance to the original network, and to the labels if given.

    classifying head (rank 2, more than one score):  KL(softmax(original) || softmax(tuned))
    any other head:                                  E[(original - tuned)^2] / Var(original)
    labels, on the first classifying head:           + cross-entropy

Source: distillation, Hinton et al. 2015, at temperature 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name torch's own documentation uses)

from onnx2snn.converter.finetuning.network import Network


def is_classifying(values: Any) -> bool:
    """Whether a head's values [N, C] are scores of classes."""
    return bool(values.dim() == 2 and values.shape[1] > 1)


def class_head(network: Network, values: Mapping[str, Any]) -> str | None:
    """Return the first head that classifies."""
    return next((name for name in network.heads if is_classifying(values[name])), None)


def distance(
    network: Network, tuned: Mapping[str, Any], original: Mapping[str, Any], labels: Any | None
) -> Any:
    """Return the loss of one batch, a scalar tensor.

    Args:
        network: names the heads.
        tuned: heads of the network in training.
        original: heads of the original network.
        labels: class numbers [N], or None.
    """
    total = torch.zeros((), device=next(iter(tuned.values())).device)
    for name in network.heads:
        if is_classifying(original[name]):
            target = torch.softmax(original[name], dim=1)
            total = total + F.kl_div(
                torch.log_softmax(tuned[name], dim=1), target, reduction="batchmean"
            )
        else:
            spread = original[name].var(unbiased=False).clamp_min(1e-12)
            total = total + F.mse_loss(tuned[name], original[name]) / spread
    head = class_head(network, original)
    if labels is not None and head is not None:
        total = total + F.cross_entropy(tuned[head], labels)
    return total

"""The training loop: the network with its new activations learns to be the original again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onnx2snn.converter.finetuning.activations import TRAINED_ACTIVATIONS
from onnx2snn.converter.finetuning.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from onnx2snn.converter.finetuning.loss import class_head, distance
from onnx2snn.converter.finetuning.network import Network, Parameters, to_torch
from onnx2snn.converter.finetuning.settings import Epoch, FinetuneSettings
from onnx2snn.converter.finetuning.sites import TrainedSite
from onnx2snn.ir.session import Tensors

Progress = Callable[[str, float], None]

THRESHOLD_PREFIX = "onnx2snn.threshold/"
"""Trained tensors of this name hold ln(theta) of the activation named behind it."""


_LEAST_SIZE = 1e-3
"""So that biases that start at zero move."""


@dataclass(frozen=True)
class Split:
    """Samples to train on, and samples that judge.

    Attributes:
        feeds: inputs [N, ...] by name, all samples.
        labels: class numbers [N], or None.
        trained: indices of the samples to train on.
        held_out: indices of the samples that judge.
    """

    feeds: Tensors
    labels: NDArray[np.int64] | None
    trained: NDArray[np.int64]
    held_out: NDArray[np.int64]


@dataclass(frozen=True)
class Trainer:
    """What stays the same through a training.

    Attributes:
        network: the differentiable network.
        original: the parameters of the original, which is the teacher.
        sites: activations that are replaced.
        split: the samples.
        settings: the knobs.
        device: where it runs.
    """

    network: Network
    original: Parameters
    sites: tuple[TrainedSite, ...]
    split: Split
    settings: FinetuneSettings
    device: str

    def tuned(self, parameters: Parameters, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Compute the heads with the new activations."""
        activations = {site.node: self._activation(site, parameters) for site in self.sites}
        return self.network.run(parameters, feeds, activations)

    def _activation(self, site: TrainedSite, parameters: Parameters) -> Callable[[Any], Any]:
        apply = TRAINED_ACTIVATIONS[self.settings.activation].apply
        theta = torch.exp(parameters[THRESHOLD_PREFIX + site.node])
        return lambda z: apply(z, theta, self.settings.levels, site.alpha)

    def teacher(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Compute the heads of the original."""
        with torch.no_grad():
            return self.network.run(self.original, feeds)

    def batches(self, order: NDArray[np.int64]) -> Iterator[tuple[dict[str, Any], Any | None]]:
        """Yield feeds and labels in the given order of samples."""
        for start in range(0, len(order), self.settings.batch):
            index = order[start : start + self.settings.batch]
            feeds = {name: values[index] for name, values in self.split.feeds.items()}
            labels = None
            if self.split.labels is not None:
                labels = torch.from_numpy(self.split.labels[index]).to(self.device)
            yield to_torch(feeds, self.device), labels

    def judge(self, parameters: Parameters, number: int, loss: float | None) -> Epoch:
        """Judge parameters on the held-out samples."""
        total, same, right, seen, classes = 0.0, 0, 0, 0, True
        with torch.no_grad():
            for feeds, labels in self.batches(self.split.held_out):
                wanted, found = self.teacher(feeds), self.tuned(parameters, feeds)
                count = len(next(iter(feeds.values())))
                total += float(distance(self.network, found, wanted, labels)) * count
                seen += count
                head = class_head(self.network, wanted)
                classes = head is not None
                if head is not None:
                    top = found[head].argmax(dim=1)
                    same += int((top == wanted[head].argmax(dim=1)).sum())
                    right += 0 if labels is None else int((top == labels).sum())
        return Epoch(
            number=number,
            loss=total / seen if loss is None else loss,
            held_out_loss=total / seen,
            agreement=same / seen if classes else None,
            accuracy=right / seen if classes and self.split.labels is not None else None,
        )

    def accuracy_of_original(self) -> float | None:
        """Return the original's share of right labels on the held-out samples."""
        right, seen = 0, 0
        for feeds, labels in self.batches(self.split.held_out):
            wanted = self.teacher(feeds)
            head = class_head(self.network, wanted)
            if labels is None or head is None:
                return None
            right += int((wanted[head].argmax(dim=1) == labels).sum())
            seen += len(labels)
        return right / seen


def split_samples(
    feeds: Tensors, labels: NDArray[np.int64] | None, share: float, seed: int
) -> Split:
    """Hold a seeded choice of the samples out."""
    count = len(next(iter(feeds.values())))
    order = np.random.default_rng(seed).permutation(count)
    held = min(max(1, round(count * share)), count - 1)
    return Split(feeds, labels, np.sort(order[held:]), np.sort(order[:held]))


def train(
    trainer: Trainer,
    start: Parameters,
    *,
    checkpoint: Path | None,
    resume: bool,
    job: str,
    progress: Progress | None,
) -> Checkpoint:
    """Train for the epochs of the settings and return the last state.

    The order of the samples depends on seed and epoch only, so a resumed training computes what
    an uninterrupted one does.

    Args:
        trainer: what stays the same.
        start: parameters and logarithms of thresholds before training.
        checkpoint: file that is written after every epoch, if any.
        resume: go on from that file where it is there.
        job: identifies model, data and settings.
        progress: told the epoch in words and the share done.
    """
    parameters = {name: value.detach().clone() for name, value in start.items()}
    state: Checkpoint | None = None
    if resume and checkpoint is not None and checkpoint.exists():
        state = load_checkpoint(checkpoint, job)
        parameters = {name: value.to(trainer.device) for name, value in state.parameters.items()}
    optimiser = torch.optim.Adam(_groups(parameters, start), lr=trainer.settings.learning_rate)
    if state is None:
        begun = trainer.judge(parameters, 0, None)
        state = Checkpoint((begun,), parameters, {}, 0, _copy(parameters))
    else:
        optimiser.load_state_dict(dict(state.optimiser))
    for number in range(len(state.epochs), trainer.settings.epochs + 1):
        loss = _pass(trainer, parameters, optimiser, number, progress)
        state = _judged(trainer, state, parameters, optimiser, number, loss)
        if checkpoint is not None:
            save_checkpoint(checkpoint, job, state)
    return state


def _pass(
    trainer: Trainer,
    parameters: Parameters,
    optimiser: Any,
    number: int,
    progress: Progress | None,
) -> float:
    """Train on every sample once and return the mean loss."""
    epochs, trained = trainer.settings.epochs, trainer.split.trained
    order = np.random.default_rng([trainer.settings.seed, number]).permutation(trained)
    steps, total = math.ceil(len(order) / trainer.settings.batch), 0.0
    for step, (feeds, labels) in enumerate(trainer.batches(order)):
        done = (number - 1 + step / steps) / epochs
        for group in optimiser.param_groups:
            group["lr"] = _rate(trainer.settings.learning_rate, done) * group["size"]
        if progress is not None:
            progress(f"epoch {number} of {epochs}", done)
        found = trainer.tuned(parameters, feeds)
        loss = distance(trainer.network, found, trainer.teacher(feeds), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach()) * len(next(iter(feeds.values())))
    return total / len(order)


def _groups(parameters: Parameters, start: Parameters) -> list[dict[str, Any]]:
    """Return a group per tensor, with the size that its steps are relative to.

    Adam's steps have the size of the learning rate, whatever the size of a weight: the first layer
    of a network that takes pixels 0..255 has weights a hundredth of the others', and would be
    erased by steps that suit them. Logarithms of thresholds are relative as they are.
    """
    return [
        {"params": [value.requires_grad_()], "size": _size(name, start[name])}
        for name, value in parameters.items()
    ]


def _size(name: str, tensor: Any) -> float:
    if name.startswith(THRESHOLD_PREFIX):
        return 1.0
    return max(float(tensor.detach().pow(2).mean().sqrt()), _LEAST_SIZE)


def _rate(start: float, done: float) -> float:
    """Return the learning rate when a share of the training is done: half a cosine."""
    return start * (1 + math.cos(math.pi * done)) / 2


def _judged(
    trainer: Trainer,
    before: Checkpoint,
    parameters: Parameters,
    optimiser: Any,
    number: int,
    loss: float,
) -> Checkpoint:
    epoch = trainer.judge(parameters, number, loss)
    better = epoch.held_out_loss < before.epochs[before.best].held_out_loss
    return Checkpoint(
        epochs=(*before.epochs, epoch),
        parameters=parameters,
        optimiser=optimiser.state_dict(),
        best=number if better else before.best,
        best_parameters=_copy(parameters) if better else before.best_parameters,
    )


def _copy(parameters: Parameters) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in parameters.items()}

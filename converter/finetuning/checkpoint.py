"""A checkpoint: everything a fine-tuning needs to go on where it stopped, bit for bit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from onnx2snn.converter.finetuning.settings import Epoch
from onnx2snn.ir.errors import DataError


@dataclass(frozen=True)
class Checkpoint:
    """The state after an epoch.

    Attributes:
        epochs: the epochs so far, the state before training first.
        parameters: trained tensors by name.
        optimiser: state of the optimiser.
        best: number of the best epoch.
        best_parameters: its tensors.
    """

    epochs: tuple[Epoch, ...]
    parameters: Mapping[str, Any]
    optimiser: Mapping[str, Any]
    best: int
    best_parameters: Mapping[str, Any]


def save_checkpoint(path: Path, job: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: where to.
        job: what is being done (model, data, settings): only the same job may resume.
        checkpoint: the state.
    """
    partial = path.with_name(path.name + ".partial")
    state = {
        "job": job,
        "epochs": [epoch.model_dump() for epoch in checkpoint.epochs],
        "parameters": {n: v.detach().cpu() for n, v in checkpoint.parameters.items()},
        "optimiser": checkpoint.optimiser,
        "best": checkpoint.best,
        "best_parameters": {n: v.detach().cpu() for n, v in checkpoint.best_parameters.items()},
    }
    torch.save(state, partial)
    os.replace(partial, path)


def load_checkpoint(path: Path, job: str) -> Checkpoint:
    """Read a checkpoint; tensors and numbers only, no pickled objects.

    Raises:
        DataError: it is unreadable, or of another job.
    """
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        found = state["job"]
    except Exception as error:
        raise DataError(
            f"the checkpoint {path.name} cannot be read: {error}",
            remedy="remove it, or run without --resume",
        ) from error
    if found != job:
        raise DataError(
            f"the checkpoint {path.name} is of another model, other data or other settings",
            remedy="resume with what it was begun with, or remove it",
        )
    return Checkpoint(
        epochs=tuple(Epoch.model_validate(epoch) for epoch in state["epochs"]),
        parameters=state["parameters"],
        optimiser=state["optimiser"],
        best=state["best"],
        best_parameters=state["best_parameters"],
    )

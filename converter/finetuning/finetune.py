"""Fine-tuning: a trained network learns to live with the activations of spiking neurons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from onnx2snn.converter.calibration.samples import SampleData, given_samples, sample_shapes
from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.finetuning.network import build_network, judge_network, to_torch
from onnx2snn.converter.finetuning.settings import FinetuneReport, FinetuneSettings
from onnx2snn.converter.finetuning.sites import find_sites, initial_thresholds
from onnx2snn.converter.finetuning.training import (
    THRESHOLD_PREFIX,
    Progress,
    Trainer,
    split_samples,
    train,
)
from onnx2snn.converter.finetuning.write_back import write_back
from onnx2snn.converter.source.read import ModelLike, read_model
from onnx2snn.ir.errors import DataError, UnsupportedOpError

_START_SAMPLES = 64
_JUDGED_SAMPLES = 4


def finetune(
    model: ModelLike,
    data: SampleData,
    labels: NDArray[Any] | None = None,
    *,
    settings: FinetuneSettings | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> tuple[onnx.ModelProto, FinetuneReport]:
    """Replace ReLU and its kin by activations that spiking neurons compute exactly, and train.

    The network learns to agree with its own original (distillation) and, where labels are given,
    with them, too. Weights, biases and one threshold per activation are trained. Converting the
    result gives its exact spiking twin: see :mod:`onnx2snn.converter.finetuning.activations`.

    Args:
        model: path, bytes or ``ModelProto`` of the trained network.
        data: training samples [N, *F] by input name (or one array for one input); no test data.
        labels: class numbers [N].
        settings: the knobs.
        checkpoint: file that holds the state after every epoch.
        resume: go on from that file, if it is there.
        progress: called with the stage in words and the share done.

    Returns:
        The tuned network, with the inputs and outputs of the original, and the account.

    Raises:
        ModelError: the model cannot be read, or has operators that cannot be trained.
        DataError: the samples do not fit, or the checkpoint is of another job.
    """
    knobs = settings or FinetuneSettings()
    source = read_model(model)
    canonical = canonicalise(source, input_shapes=sample_shapes(source.model, data))
    samples = given_samples(canonical.model, data)
    if samples.blocks or samples.shared:
        raise UnsupportedOpError(
            "training needs a network whose inputs all have a free batch axis",
            remedy="export the model with a dynamic batch axis",
        )
    feeds = {name: np.asarray(values) for name, values in samples.feeds.items()}
    device = _device(knobs)
    network, parameters = build_network(canonical.model, device)
    judge_network(network, parameters, samples.first(_JUDGED_SAMPLES), device)
    sites, left = find_sites(network, knobs.slope)
    if not sites:
        raise UnsupportedOpError(
            "no activation of this network can be replaced",
            remedy="fine-tuning replaces Relu, Clip, LeakyRelu, PRelu and staircases; convert the "
            "network as it is",
        )
    few = to_torch(samples.first(_START_SAMPLES), device)
    thresholds = initial_thresholds(network, parameters, sites, few, knobs.levels)
    start = dict(parameters) | {THRESHOLD_PREFIX + n: torch.log(v) for n, v in thresholds.items()}
    split = split_samples(feeds, _labels(labels, len(samples)), knobs.held_out, knobs.seed)
    trainer = Trainer(network, _frozen(parameters), sites, split, knobs, device)
    job = f"{source.sha256} {samples.source.sha256} {knobs.model_dump_json()}"
    state = train(trainer, start, checkpoint=checkpoint, resume=resume, job=job, progress=progress)
    report = FinetuneReport(
        settings=knobs,
        source_sha256=source.sha256,
        data_sha256=samples.source.sha256,
        samples=len(split.trained),
        held_out=len(split.held_out),
        labels=labels is not None,
        accuracy_before=trainer.accuracy_of_original(),
        epochs=state.epochs,
        best=state.best,
        thresholds=_thresholds(state.best_parameters),
        left=left,
    )
    return write_back(canonical.model, state.best_parameters, sites, report), report


def _device(settings: FinetuneSettings) -> str:
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise DataError("there is no GPU that PyTorch can use", remedy="use --device cpu")
    return "cuda" if there and settings.device != "cpu" else "cpu"


def _labels(labels: NDArray[Any] | None, count: int) -> NDArray[np.int64] | None:
    if labels is None:
        return None
    if labels.shape != (count,):
        raise DataError(
            f"there are {count} samples, but labels of shape {labels.shape}",
            remedy="give one class number per sample",
        )
    return labels.astype(np.int64)


def _frozen(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in parameters.items()}


def _thresholds(parameters: Mapping[str, Any]) -> dict[str, float]:
    return {
        name.removeprefix(THRESHOLD_PREFIX): float(torch.exp(value))
        for name, value in parameters.items()
        if name.startswith(THRESHOLD_PREFIX)
    }

"""What the caller chooses about a fine-tuning, and what comes out of it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ActivationName = Literal["clipfloor", "leaky-clipfloor", "threshold-relu"]


class FinetuneSettings(BaseModel):
    """The knobs of a fine-tuning.

    Attributes:
        activation: what takes the place of ReLU and its kin.
        levels: steps L of a staircase; T = L timesteps express them with unit spikes. The
            thresholds start where L levels are best, those of threshold-relu, too.
        epochs: passes over the training data.
        batch: samples per step of the optimiser.
        learning_rate: of Adam, at the start, relative to the size (root mean square) of each
            tensor; it falls to zero as half a cosine.
        slope: alpha of leaky-clipfloor where the activation it replaces has none.
        held_out: share of the training data that is not trained on but judges every epoch.
        seed: of the held-out choice and of the order of the samples.
        device: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    activation: ActivationName = "clipfloor"
    levels: int = Field(default=8, ge=1, le=2**15)
    epochs: int = Field(default=10, ge=1)
    batch: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    slope: float = Field(default=0.1, gt=0, le=1)
    held_out: float = Field(default=0.1, gt=0, lt=1)
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"


class Epoch(BaseModel):
    """One pass over the training data, judged on the held-out samples.

    Attributes:
        number: from 1 on; 0 is the network before training, its activations replaced.
        loss: training loss (at 0: the held-out loss).
        held_out_loss: the same loss on the held-out samples.
        agreement: share of held-out samples with the original's top-1; None for a network that
            does not classify.
        accuracy: share with the right label; None without labels.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    loss: float
    held_out_loss: float
    agreement: float | None = None
    accuracy: float | None = None


class FinetuneReport(BaseModel):
    """The account of a fine-tuning.

    Attributes:
        settings: as given.
        source_sha256: digest of the original file.
        data_sha256: digest of the training samples.
        samples: number of samples trained on.
        held_out: number of samples that judged.
        labels: whether labels were used.
        accuracy_before: accuracy of the original on the held-out samples; None without labels.
        epochs: one entry a pass, the state before training first.
        best: number of the epoch whose parameters were kept (least held-out loss).
        thresholds: learned theta by the name of the activation.
        left: activations that stayed what they are, "name (op)".
    """

    model_config = ConfigDict(frozen=True)

    settings: FinetuneSettings
    source_sha256: str
    data_sha256: str
    samples: int
    held_out: int
    labels: bool
    accuracy_before: float | None
    epochs: tuple[Epoch, ...]
    best: int
    thresholds: dict[str, float]
    left: tuple[str, ...] = ()

"""Early exit on the command line: options, and the rule they ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnx2snn.cli.options import loss_bound

if TYPE_CHECKING:
    from onnx2snn.ir.model import SpikingModel
    from onnx2snn.runtime.data.image_folder import ImageOptions
    from onnx2snn.runtime.runs.early_exit import EarlyExit

_PANEL = "Early exit"


class ExitRule(StrEnum):
    """What makes a sample clear."""

    MARGIN = "margin"
    ENTROPY = "entropy"


Rule = Annotated[
    ExitRule | None,
    typer.Option(
        "--early-exit",
        rich_help_panel=_PANEL,
        help="Finish a sample once its outputs are clear; the threshold is tuned on --calibration.",
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="DATA",
        rich_help_panel=_PANEL,
        help="Samples to tune the threshold on; not the test data.",
    ),
]
MaxLoss = Annotated[
    str,
    typer.Option(
        "--max-loss",
        metavar="LOSS",
        rich_help_panel=_PANEL,
        help="Bound on the share of answers that change against the full run.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--exit-threshold",
        metavar="X",
        rich_help_panel=_PANEL,
        help="A known threshold, instead of --calibration.",
    ),
]
Every = Annotated[
    int,
    typer.Option(
        "--exit-every",
        metavar="N",
        min=1,
        rich_help_panel=_PANEL,
        help="Timesteps from one look at the outputs to the next.",
    ),
]


@dataclass(frozen=True)
class ExitOptions:
    """The options as given.

    Raises:
        typer.BadParameter: they contradict each other.
    """

    rule: ExitRule | None
    calibration: Path | None
    max_loss: str
    threshold: float | None
    every: int

    def __post_init__(self) -> None:
        given = [self.calibration is not None, self.threshold is not None]
        if self.rule is None and any(given):
            raise typer.BadParameter("a threshold needs a rule", param_hint="--early-exit")
        if self.rule is not None and sum(given) != 1:
            raise typer.BadParameter(
                "hand in --calibration to tune the threshold on, or --exit-threshold",
                param_hint="--early-exit",
            )
        loss_bound(self.max_loss)

    def find(
        self,
        model: SpikingModel,
        images: ImageOptions,
        timesteps: int,
        backend: str,
        memory: str,
        threads: int,
        move: Callable[[str, float], None],
    ) -> EarlyExit | None:
        """Return the rule: as given, or tuned on the calibration data; None if none is wanted."""
        from onnx2snn.cli.samples import read_samples
        from onnx2snn.runtime.runs.early_exit import EarlyExit
        from onnx2snn.runtime.runs.tune_early_exit import tune_early_exit

        if self.rule is None:
            return None
        if self.calibration is None:
            assert self.threshold is not None
            return EarlyExit(self.rule.value, self.threshold, self.every)
        return tune_early_exit(
            model,
            read_samples(self.calibration, model, images, move).arrays,
            rule=self.rule.value,
            max_loss=loss_bound(self.max_loss) or 0.0,
            every=self.every,
            timesteps=timesteps,
            backend=backend,
            memory=memory,
            threads=threads,
            progress=lambda done, total: move("tune early exit", done / total),
        )

"""The speeds that the event engine is meant to reach, and the table of what it reached.

A figure is a ratio of times: to limit A (T runs of the plain ANN in onnxruntime), or to the best
setting of the best other framework that was measured. A loop written by hand in PyTorch is no
framework: it is measured beside them, as what somebody would write for one net.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from contenders import OURS


class Cell(NamedTuple):
    """One network at one batch size and one number of timesteps.

    Attributes:
        net: name of a net of ``firing_nets`` and its rate, ``mlp 0.1``, or of a trained net and its
            preset, ``resnet20_cifar10_ft graded``.
        batch: samples of a run.
        steps: T.
    """

    net: str
    batch: int
    steps: int

    def __str__(self) -> str:
        return f"{self.net}, {self.batch}, {self.steps}"


class Target(NamedTuple):
    """Least ratios; None where there is no target."""

    event: float
    int8: float
    event_to_best: float | None = None
    int8_to_best: float | None = None


TARGETS = {
    Cell("mlp 0.1", 1, 32): Target(25, 50, 14, 30),
    Cell("mlp 0.1", 100, 32): Target(7, 15, 14, 30),
    Cell("resnet20 0.1", 1, 32): Target(3, 4.5, 6, 10),
    Cell("resnet20 0.1", 32, 32): Target(3, 4.5, 6, 10),
    Cell("vgg16 0.1", 1, 32): Target(6, 18, 7, 18),
    Cell("vgg16 0.1", 32, 32): Target(4, 12, 7, 18),
    Cell("resnet20_cifar10_ft graded", 32, 8): Target(1.8, 3),
    Cell("resnet20_cifar10_ft graded", 32, 32): Target(6, 10),
    Cell("resnet20_cifar10_ft rate", 32, 32): Target(2.5, 3.5),
}

BY_HAND = "by hand"
"""How the names of loops in plain PyTorch start."""

Medians = Mapping[str, Mapping[str, float]]
"""By cell (as text) and contender, the median ratio to limit A."""


def best_peer(ratios: Mapping[str, float]) -> str | None:
    """Return the fastest contender of another framework; None if none was measured."""
    peers = {n: ratio for n, ratio in ratios.items() if n not in OURS and not n.startswith(BY_HAND)}
    return max(peers, key=peers.__getitem__, default=None)


def summary(measured: Medians, targets: Mapping[Cell, Target] = TARGETS) -> Iterator[str]:
    """Give the lines of a table: measured ratio / target, for each cell that was measured."""
    yield "| net, batch, T | event / A | int8 / A | best peer / A | event / peer | int8 / peer |"
    yield "|---|---|---|---|---|---|"
    for cell, target in targets.items():
        ratios = measured.get(str(cell), {})
        if not ratios:
            continue
        event, int8 = ratios.get("event"), ratios.get("event int8")
        best = best_peer(ratios)
        peer = None if best is None else ratios[best]
        shown = "" if peer is None else f"{peer:.2f} ({best})"
        to_best = [value / peer if value and peer else None for value in (event, int8)]
        cells = [
            _against(event, target.event),
            _against(int8, target.int8),
            shown,
            _against(to_best[0], target.event_to_best),
            _against(to_best[1], target.int8_to_best),
        ]
        yield f"| {cell} | {' | '.join(cells)} |"


def _against(value: float | None, target: float | None) -> str:
    """Return ``measured (>= target)``, bold where the target is reached."""
    if value is None:
        return ""
    if target is None:
        return f"{value:.2f}"
    shown = f"**{value:.2f}**" if value >= target else f"{value:.2f}"
    return f"{shown} (>= {target:g})"

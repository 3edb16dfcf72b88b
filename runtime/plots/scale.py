"""From values to pixels, and where the ticks stand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A monotone map of an interval of values to an interval of pixels.

    Attributes:
        low: value shown at ``start``.
        high: value shown at ``end``.
        start: pixel.
        end: pixel.
        warp: identity or a logarithm.
    """

    low: float
    high: float
    start: float
    end: float
    warp: Callable[[float], float] = float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self.warp(self.low), self.warp(self.high)
        share = (self.warp(value) - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers from at most ``low`` to at least ``high``."""
    if not high > low:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10, 20) if power * m >= rough * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def decade_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Return powers of ten from at most ``low`` to at least ``high``; both are positive.

    Within two decades their doubles and quintuples are ticks as well.
    """
    first = math.floor(math.log10(low) + 1e-9)
    last = max(math.ceil(math.log10(high) - 1e-9), first + 1)
    if last - first <= 2:
        fine = [m * 10.0**power for power in range(first, last) for m in (1, 2, 5)]
        below = max(tick for tick in fine if tick <= low * (1 + 1e-9))
        above = min(tick for tick in [*fine, 10.0**last] if tick >= high * (1 - 1e-9))
        return [tick for tick in [*fine, 10.0**last] if below <= tick <= max(above, 2.5 * below)]
    step = math.ceil((last - first) / (most - 1))
    return [10.0**power for power in range(first, last + step, step)]


def thin_out(values: Sequence[float], most: int) -> list[float]:
    """Keep at most ``most`` values, evenly, the last among them."""
    step = math.ceil(len(values) / most)
    return list(values[::-1][::step][::-1])

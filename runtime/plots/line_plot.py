"""A small line plot over timesteps (log2 axis) with horizontal reference levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from onnx2snn.runtime.plots.scale import Scale, decade_ticks, round_ticks, thin_out
from onnx2snn.runtime.plots.svg import CHARACTER, element, picture

_WIDTH, _HEIGHT = 340.0, 240.0
_LEFT, _TOP, _BOTTOM = 54.0, 10.0, 40.0
_LINE_HEIGHT = 15.0


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        label: its name, written at its end.
        points: pairs of timestep and value, in order.
        style: CSS class of its colour.
    """

    label: str
    points: Sequence[tuple[int, float]]
    style: str = "snn"


@dataclass(frozen=True)
class Level:
    """A value to compare with: a dashed horizontal line.

    Attributes:
        label: its name.
        value: where it lies.
        style: CSS class of its colour and dashes.
    """

    label: str
    value: float
    style: str


def line_plot(
    title: str,
    line: Line,
    levels: Sequence[Level],
    show: Callable[[float], str],
    *,
    logarithmic: bool = False,
) -> Markup:
    """Draw a curve over timesteps.

    Args:
        title: read out by screen readers.
        line: the curve.
        levels: values to compare with.
        show: writes a value.
        logarithmic: whether the value axis is; zeros then lie on its lower end.
    """
    values = [value for _, value in line.points] + [level.value for level in levels]
    ticks = _ticks(values, logarithmic)
    labels = [line.label, *(level.label for level in levels)]
    right = _WIDTH - 14 - CHARACTER * max(len(label) for label in labels)
    times = [time for time, _ in line.points]
    across = Scale(min(times), max(times), _LEFT, right, math.log2)
    warp = math.log10 if logarithmic else float
    up = Scale(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP, warp)
    floor = ticks[0] if logarithmic else -math.inf

    def height(value: float) -> float:
        return up(max(value, floor))

    parts = _value_axis(ticks, up, right, show) + _time_axis(times, across, right)
    ends = [(height(line.points[-1][1]), line.label, line.style)]
    curve, dots = _curve(line, across, height, show)
    parts.append(curve)
    for level in levels:
        y = height(level.value)
        parts.append(_level(level, y, right, show))
        ends.append((y, level.label, level.style))
    parts += dots
    parts += _end_labels(ends, right + 6)
    return picture(_WIDTH, _HEIGHT, title, parts)


def _ticks(values: Sequence[float], logarithmic: bool) -> list[float]:
    if not logarithmic:
        return round_ticks(min(values), max(values))
    positive = [value for value in values if value > 0]
    return decade_ticks(min(positive), max(positive)) if positive else [0.1, 1.0]


def _value_axis(
    ticks: Sequence[float], up: Scale, right: float, show: Callable[[float], str]
) -> list[Markup]:
    parts = []
    for tick in ticks:
        y = up(tick)
        parts.append(element("line", x1=_LEFT, x2=right, y1=y, y2=y, class_="grid"))
        parts.append(
            element("text", show(tick), x=_LEFT - 8, y=y + 4, text_anchor="end", class_="tick")
        )
    return parts


def _time_axis(times: Sequence[int], across: Scale, right: float) -> list[Markup]:
    base = _HEIGHT - _BOTTOM
    parts = [element("line", x1=_LEFT, x2=right, y1=base, y2=base, class_="axis")]
    for time in thin_out(times, 8):
        x = across(time)
        parts.append(
            element("text", f"{time:g}", x=x, y=base + 17, text_anchor="middle", class_="tick")
        )
    middle = (_LEFT + right) / 2
    name = "timesteps T (logarithmic)"
    parts.append(element("text", name, x=middle, y=base + 35, text_anchor="middle", class_="tick"))
    return parts


def _level(level: Level, y: float, right: float, show: Callable[[float], str]) -> Markup:
    told = element("title", f"{level.label}: {show(level.value)}")
    return element("line", told, x1=_LEFT, x2=right, y1=y, y2=y, class_=f"level {level.style}")


def _curve(
    line: Line, across: Scale, height: Callable[[float], float], show: Callable[[float], str]
) -> tuple[Markup, list[Markup]]:
    places = [(across(time), height(value)) for time, value in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = []
    for (x, y), (time, value) in zip(places, line.points, strict=True):
        told = element("title", f"T = {time}: {show(value)}")
        dots.append(element("circle", told, cx=x, cy=y, r=4, class_=f"dot {line.style}"))
    return element("polyline", points=path, class_=f"curve {line.style}"), dots


def _end_labels(ends: Sequence[tuple[float, str, str]], x: float) -> list[Markup]:
    """Write the names beside the ends of the lines, moved apart where they would overlap."""
    parts = []
    taken = -math.inf
    ordered = sorted(ends)
    spare = _HEIGHT - _BOTTOM - _LINE_HEIGHT * (len(ordered) - 1)
    for index, (y, label, style) in enumerate(ordered):
        place = max(min(y, spare + _LINE_HEIGHT * index), taken + _LINE_HEIGHT)
        parts.append(element("text", label, x=x, y=place + 4, class_=f"name {style}"))
        taken = place
    return parts

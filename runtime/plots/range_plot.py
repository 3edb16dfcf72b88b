"""Ranges on a logarithmic axis, one row each: least, mean and greatest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from onnx2snn.runtime.plots.scale import Scale, decade_ticks
from onnx2snn.runtime.plots.svg import CHARACTER, element, picture, shorten

_WIDTH, _ROW, _TOP, _FOOT = 820.0, 18.0, 6.0, 40.0
_MOST_CHARACTERS = 34


@dataclass(frozen=True)
class Range:
    """One row: 0 < low <= mean <= high."""

    name: str
    low: float
    mean: float
    high: float


def range_plot(title: str, rows: Sequence[Range], unit: str) -> Markup:
    """Draw a bar from the least to the greatest value of each row, and a dot at the mean."""
    names = [shorten(row.name, _MOST_CHARACTERS) for row in rows]
    left = 12 + CHARACTER * max(len(name) for name in names)
    ticks = decade_ticks(min(row.low for row in rows), max(row.high for row in rows))
    across = Scale(ticks[0], ticks[-1], left, _WIDTH - 28, math.log10)
    bottom = _TOP + len(rows) * _ROW
    parts = []
    for tick in ticks:
        x = across(tick)
        parts.append(element("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid"))
        parts.append(
            element("text", f"{tick:g}", x=x, y=bottom + 14, text_anchor="middle", class_="tick")
        )
    for index, row in enumerate(rows):
        parts += _row(row, names[index], _TOP + (index + 0.5) * _ROW, left, across)
    middle = (left + _WIDTH - 28) / 2
    parts.append(
        element("text", unit, x=middle, y=bottom + 31, text_anchor="middle", class_="tick")
    )
    return picture(_WIDTH, bottom + _FOOT, title, parts)


def _row(row: Range, name: str, y: float, left: float, across: Scale) -> list[Markup]:
    told = element("title", f"{row.name}: {row.low:.4g} to {row.high:.4g}, mean {row.mean:.4g}")
    low, high = across(row.low), across(row.high)
    span = element(
        "rect",
        told,
        x=low - 3,
        y=y - 3,
        width=high - low + 6,
        height=6,
        rx=3,
        class_="span",
    )
    dot = element("circle", told, cx=across(row.mean), cy=y, r=3.5, class_="dot snn")
    text = element("text", told, name, x=left - 8, y=y + 4, text_anchor="end", class_="name")
    return [text, span, dot]

"""A heat map of layers (rows) by timesteps (columns), with the columns' totals as bars above."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from onnx2snn.runtime.plots.svg import CHARACTER, element, picture, shorten

_WIDTH, _ROW, _FOOT = 820.0, 18.0, 40.0
_BARS, _GAP = 70.0, 10.0
_MOST_CHARACTERS = 34


def heat_map(
    title: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[float]]],
    totals: Sequence[float],
    unit: str,
) -> Markup:
    """Draw one cell per layer and column; ink grows with the square root of the value.

    Args:
        title: read out by screen readers.
        columns: the timestep, or the timesteps, of each column.
        rows: name of each layer and its values, one per column.
        totals: one value per column, drawn as bars.
        unit: what is counted.
    """
    names = [shorten(name, _MOST_CHARACTERS) for name, _ in rows]
    left = 12 + CHARACTER * max(len(name) for name in [*names, "all layers"])
    cell = (_WIDTH - left - 8) / len(columns)
    greatest = max(max(values) for _, values in rows) or 1.0
    parts = _bars(columns, totals, left, cell, unit)
    for index, (full, values) in enumerate(rows):
        y = _BARS + _GAP + index * _ROW
        parts.append(_name(names[index], full, left, y + 13))
        for step, value in enumerate(values):
            told = element("title", f"{full}, t = {columns[step]}: {value:.4g} {unit}")
            parts.append(
                element(
                    "rect",
                    told,
                    x=left + step * cell,
                    y=y,
                    width=cell - 1,
                    height=_ROW - 1,
                    class_="heat",
                    fill_opacity=0.1 + 0.9 * math.sqrt(value / greatest) if value > 0 else 0.04,
                )
            )
    bottom = _BARS + _GAP + len(rows) * _ROW
    parts += _time_axis(columns, left, bottom, cell)
    return picture(_WIDTH, bottom + _FOOT, title, parts)


def _name(shown: str, full: str, left: float, y: float) -> Markup:
    told = element("title", full)
    return element("text", told, shown, x=left - 8, y=y, text_anchor="end", class_="name")


def _bars(
    columns: Sequence[str], totals: Sequence[float], left: float, cell: float, unit: str
) -> list[Markup]:
    greatest = max(totals) or 1.0
    parts = [
        _name("all layers", "all layers", left, _BARS),
        element("line", x1=left, x2=left + cell * len(totals), y1=_BARS, y2=_BARS, class_="axis"),
    ]
    for step, value in enumerate(totals):
        height = (_BARS - 18) * value / greatest
        told = element("title", f"all layers, t = {columns[step]}: {value:.4g} {unit}")
        x = left + step * cell
        parts.append(
            element(
                "rect",
                told,
                x=x,
                y=_BARS - height,
                width=cell - 1,
                height=height,
                class_="bar",
            )
        )
        if cell >= 34 and value >= greatest / 100:
            middle, y = x + cell / 2, _BARS - height - 5
            parts.append(
                element("text", f"{value:.2g}", x=middle, y=y, text_anchor="middle", class_="tick")
            )
    return parts


def _time_axis(columns: Sequence[str], left: float, bottom: float, cell: float) -> list[Markup]:
    widest = max(len(column) for column in columns)
    every = max(1, math.ceil((CHARACTER * widest + 6) / cell))
    parts = []
    for index, column in enumerate(columns):
        if index == 0 or (index + 1) % every == 0:
            x = left + (index + 0.5) * cell
            parts.append(
                element("text", column, x=x, y=bottom + 14, text_anchor="middle", class_="tick")
            )
    x = left + len(columns) * cell / 2
    parts.append(
        element("text", "timestep t", x=x, y=bottom + 31, text_anchor="middle", class_="tick")
    )
    return parts

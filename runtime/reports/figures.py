"""The figures of a report: which numbers each plot shows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.evaluation.results import CurvePoint, Evaluation
from onnx2snn.runtime.plots import (
    Level,
    Line,
    Range,
    heat_map,
    line_plot,
    range_plot,
)

_MOST_COLUMNS = 64


@dataclass(frozen=True)
class CurvePlot:
    """A plot over timesteps with its caption."""

    title: str
    note: str
    svg: Markup


def curve_plots(evaluation: Evaluation) -> list[CurvePlot]:
    """Return accuracy and agreement (where there are any) and relative error against T."""
    ann, ptq = evaluation.ann, evaluation.ptq
    wanted = [
        ("Accuracy", "top-1", _shares("accuracy"), ann.accuracy, ptq.accuracy, False),
        ("Agreement", "same top-1 as the ANN", _shares("agreement"), None, ptq.agreement, False),
        ("Relative error", "‖SNN − ANN‖ / ‖ANN‖", _shares("relative_error"), None,
         ptq.relative_error, True),
    ]  # fmt: skip
    plots = []
    for title, note, value_of, ann_level, ptq_level, logarithmic in wanted:
        points = [
            (point.timesteps, value)
            for point in evaluation.curve
            if (value := value_of(point)) is not None and math.isfinite(value)
        ]
        if not points:
            continue
        levels = [
            Level(label, value, style)
            for label, value, style in (("ANN", ann_level, "ann"), ("PTQ", ptq_level, "ptq"))
            if value is not None and math.isfinite(value)
        ]
        show = _plain if logarithmic else _percent
        drawn = line_plot(
            f"{title} against timesteps",
            Line("SNN", points),
            levels,
            show,
            logarithmic=logarithmic,
        )
        plots.append(CurvePlot(title, note, drawn))
    return plots


def _shares(field: str) -> Callable[[CurvePoint], float | None]:
    return lambda point: getattr(point, field)


def _plain(value: float) -> str:
    return f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def events_map(evaluation: Evaluation) -> Markup | None:
    """Return events per neuron and timestep, by layer and over all layers.

    Where there are many timesteps a column shows the mean of several.
    """
    if not evaluation.layers or not evaluation.layers[0].events_by_timestep:
        return None
    neurons = np.array([layer.neurons for layer in evaluation.layers], np.float64)
    table = np.array([layer.events_by_timestep for layer in evaluation.layers])
    steps = table.shape[1]
    width = math.ceil(steps / _MOST_COLUMNS)
    starts = range(0, steps, width)
    means = np.stack([table[:, start : start + width].mean(axis=1) for start in starts], axis=1)
    totals = neurons @ means / max(neurons.sum(), 1.0)
    columns = [
        str(start + 1) if width == 1 else f"{start + 1}–{min(start + width, steps)}"
        for start in starts
    ]
    rows = [
        (layer.name, [float(value) for value in values])
        for layer, values in zip(evaluation.layers, means, strict=True)
    ]
    told = "Events by layer and timestep"
    return heat_map(told, columns, rows, [float(total) for total in totals], "events per neuron")


def greatest_cell(evaluation: Evaluation) -> float:
    """Return the greatest value of :func:`events_map`."""
    return max(
        (max(layer.events_by_timestep, default=0.0) for layer in evaluation.layers), default=0.0
    )


def thresholds_plot(model: SpikingModel) -> Markup | None:
    """Return the range of thresholds of each neuron layer."""
    rows = []
    for layer in model.neurons:
        quantum = np.abs(layer.quantum[np.isfinite(layer.quantum)])
        quantum = quantum[quantum > 0]
        if quantum.size:
            rows.append(
                Range(
                    layer.name,
                    float(quantum.min()),
                    float(quantum.mean()),
                    float(quantum.max()),
                )
            )
    if not rows:
        return None
    return range_plot("Thresholds by layer", rows, "threshold, in units of the activation")

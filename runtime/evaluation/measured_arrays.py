"""Measurements as plain arrays, so that they travel between processes without pickle."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.errors import DataError
from onnx2snn.runtime.data.array_files import Arrays
from onnx2snn.runtime.evaluation.measure import Measured, Scores
from onnx2snn.runtime.outcomes.activity import LayerActivity
from onnx2snn.runtime.outcomes.scores import Score


def to_arrays(measured: Measured) -> dict[str, NDArray[np.generic]]:
    """Return a measurement as arrays; what is not known is NaN.

    ``scores`` is float64 [chunks, 2 + 2 P, 6]: the ANN, the quantised ANN, the spiking network at
    each of P points against the ANN, and the same against the quantised ANN.
    """
    points = list(measured.chunks[0].snn)
    layers = list(measured.activity)
    arrays: dict[str, NDArray[np.generic]] = {
        "points": np.array(points, dtype=np.int64),
        "scores": np.array([_rows(chunk, points) for chunk in measured.chunks], dtype=np.float64),
        "seconds": np.array(measured.seconds),
        "layers": np.array(layers, dtype=np.str_),
        "has_correlations": np.array(measured.correlations is not None),
        "correlations": np.array([_number((measured.correlations or {}).get(n)) for n in layers]),
        "correlated": np.array(list(measured.correlations or {}), dtype=np.str_),
    }
    for index, name in enumerate(layers):
        layer = measured.activity[name]
        arrays[f"maps.{index}"] = layer.maps
        arrays[f"by_timestep.{index}"] = layer.by_timestep
        arrays[f"totals.{index}"] = np.array([layer.negative, layer.at_bound, layer.units])
    return arrays


def from_arrays(arrays: Arrays) -> Measured:
    """Return the measurement that arrays stand for.

    Raises:
        DataError: they do not stand for one.
    """
    try:
        points = [int(t) for t in arrays["points"]]
        layers = [str(name) for name in arrays["layers"]]
        correlated = {str(name) for name in arrays["correlated"]}
        correlations = {
            name: _known(value)
            for name, value in zip(layers, arrays["correlations"].tolist(), strict=True)
            if name in correlated
        }
        return Measured(
            chunks=tuple(_scores(rows, points) for rows in arrays["scores"]),
            activity={
                name: LayerActivity(
                    np.asarray(arrays[f"maps.{index}"], dtype=np.float32),
                    np.asarray(arrays[f"by_timestep.{index}"], dtype=np.float64),
                    float(arrays[f"totals.{index}"][0]),
                    int(arrays[f"totals.{index}"][1]),
                    int(arrays[f"totals.{index}"][2]),
                )
                for index, name in enumerate(layers)
            },
            correlations=correlations if bool(arrays["has_correlations"]) else None,
            seconds=float(arrays["seconds"]),
        )
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise DataError(
            f"this is no measurement: {error}", remedy="measure the samples again"
        ) from error


def _rows(chunk: Scores, points: list[int]) -> list[list[float]]:
    scores = [chunk.ann, chunk.ptq, *(chunk.snn[t] for t in points)]
    scores += [chunk.target[t] for t in points]
    return [
        [s.samples, _number(s.correct), _number(s.agreeing), s.error, s.norm, s.cosine]
        for s in scores
    ]


def _scores(rows: NDArray[np.generic], points: list[int]) -> Scores:
    scores = [_score(row) for row in rows.tolist()]
    if len(scores) != 2 + 2 * len(points):
        raise ValueError(f"{len(scores)} rows of scores for {len(points)} points")
    first, second = scores[2 : 2 + len(points)], scores[2 + len(points) :]
    return Scores(
        ann=scores[0],
        ptq=scores[1],
        snn=_by_point(points, first),
        target=_by_point(points, second),
    )


def _by_point(points: list[int], scores: list[Score]) -> Mapping[int, Score]:
    return dict(zip(points, scores, strict=True))


def _score(row: list[float]) -> Score:
    samples, correct, agreeing, error, norm, cosine = row
    return Score(
        samples=int(samples),
        correct=_count(correct),
        agreeing=_count(agreeing),
        error=error,
        norm=norm,
        cosine=cosine,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _known(value: float) -> float | None:
    return None if value != value else value


def _count(value: float) -> int | None:
    return None if value != value else int(value)

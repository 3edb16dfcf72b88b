"""Files of a task: the model under its own name, data sets by their format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx2snn.converter.source.read import read_model
from onnx2snn.runtime.data.dataset import Dataset, load_data
from onnx2snn.runtime.data.input_spec import input_specs
from onnx2snn.server.sandbox import Progress

__all__ = ["Progress", "data_for", "limited"]

MAX_DATA_BYTES = 2 * 2**30
"""Memory that the arrays of one data set may take."""


def data_for(model: Path, data: Path) -> Dataset:
    """Load samples for a model, checked against its inputs.

    Raises:
        ModelError: the model cannot be read.
        DataError: the samples do not fit.
    """
    return load_data(data, input_specs(read_model(model).model.graph), max_bytes=MAX_DATA_BYTES)


def limited(dataset: Dataset, samples: int | None) -> tuple[dict[str, Any], Any]:
    """Return the arrays and labels of the first samples; all if no number is given."""
    arrays = {name: array[:samples] for name, array in dataset.arrays.items()}
    labels = None if dataset.labels is None else dataset.labels[:samples]
    return arrays, labels

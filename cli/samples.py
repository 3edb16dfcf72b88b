"""Samples for a spiking network, with progress."""

from __future__ import annotations

from pathlib import Path

from onnx2snn.cli.output import Progress
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.data.dataset import Dataset, load_data
from onnx2snn.runtime.data.image_folder import ImageOptions
from onnx2snn.runtime.data.input_spec import input_specs


def read_samples(
    path: Path, model: SpikingModel, images: ImageOptions, progress: Progress
) -> Dataset:
    """Read samples for a spiking network: they are what its ANN takes.

    Raises:
        DataError: they do not fit the network.
    """
    return load_data(
        path,
        input_specs(model.light.graph, model.inputs),
        images=images,
        progress=lambda done, total: progress("read images", done / total),
    )

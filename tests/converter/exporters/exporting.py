"""What the tests of the exporters share: tiny nets, converted, with samples."""

from __future__ import annotations

import numpy as np
from tests import nets

from onnx2snn.converter.convert import convert
from onnx2snn.ir.model import SpikingModel


def samples(text: str, count: int, seed: int) -> np.ndarray:
    """Samples on a grid of 1/64, as images are."""
    model = nets.build(text)
    dims = model.graph.input[0].type.tensor_type.shape.dim[1:]
    shape = (count, *(dim.dim_value for dim in dims))
    rng = np.random.default_rng(seed)
    return (rng.integers(-64, 65, shape) / 64).astype(np.float32)


def converted(text: str, preset: str = "rate", timesteps: int = 12, **knobs) -> SpikingModel:
    knobs = {"stimulus": None, **knobs} if preset != "graded" else knobs
    model, _ = convert(
        nets.build(text),
        calibration=samples(text, 24, seed=1),
        preset=preset,
        timesteps=timesteps,
        **knobs,
    )
    return model

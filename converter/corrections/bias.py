"""Sequential bias correction: each layer's constant absorbs the mean error of the prefix.

    c_channel += mean(ANN activation) - mean(value of the spiking layer), layer by layer

With S fixed the settled values are compared, with S = T (rate coding) the values after T
timesteps, so that the mean residual potential and delay are corrected too. Only calibration data
is used, and no labels.
Source: Li et al., ICML 2021 (SNN calibration, light pipeline).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.corrections.layerwise import LayerRun

ROUNDS = 2
"""A correction shifts only what is above threshold; a second round takes most of what is left."""


def correct_bias(run: LayerRun, mean: NDArray[np.float64]) -> None:
    """Correct the constant current of one layer.

    Args:
        run: the layer on its stored input.
        mean: the ANN's mean activation per channel [C].
    """
    for _ in range(ROUNDS):
        gap = mean - run.mean()
        run.values["current"] = run.values["current"] + run.per_channel(gap)

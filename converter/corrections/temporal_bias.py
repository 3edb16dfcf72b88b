"""Forward temporal bias correction: at each timestep a layer emits the ANN's activation on average.

    b_c[t] += alpha (mean ANN activation_c - mean emission_c at t)        a few rounds

Per channel and timestep, forward passes on calibration data only. It needs an input that arrives
at every timestep (S = T), and belongs to the T of the conversion. What bias correction does for the
sum over time, this does for each step of it, so premature and late spikes are evened out in the
mean, too.
Source: Wu et al., ECCV 2024 (FTBC); alpha and the number of rounds as in its public re-uses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.corrections.layerwise import LayerRun

ALPHA = 0.5
ROUNDS = 4


def correct_temporal_bias(run: LayerRun, mean: NDArray[np.float64]) -> None:
    """Fill the table in front of one layer.

    Args:
        run: the layer on its stored input.
        mean: the ANN's mean activation per channel [C].
    """
    for _ in range(ROUNDS):
        gap = mean - run.means()
        run.values["table"] = run.values["table"] + run.per_channel(ALPHA * gap)

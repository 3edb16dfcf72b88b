"""What one run of a spiking model over one chunk of samples leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.session import Tensors
from onnx2snn.ir.types import Array

Recording = Literal["none", "counts", "spikes"]
"""``counts``: events per timestep and final counts; ``spikes``: the trains as well."""


@dataclass(frozen=True)
class LayerTrace:
    """The emissions of one layer.

    Attributes:
        maps: events per segment and unit, summed over the samples, [K, 1, *F], or not summed,
            [K, N, *F], where the batch axis has a meaning of its own. Segment k ends at the kth
            timestep asked for and begins after the one before.
        events: events per timestep and sample, summed over units, [T, N].
        negative: negative events per timestep and sample, summed over units, [T, N].
        count: signed sum of all emissions in quanta, [N, *F].
        spikes: emissions in activation units, [T, N, *F]; None unless asked for.
    """

    maps: Array
    events: Array
    negative: Array
    count: Array
    spikes: Array | None


@dataclass(frozen=True)
class Trace:
    """The outcome of one run.

    Attributes:
        outputs: the ANN's outputs by name, after each timestep asked for.
        layers: what the layers emitted, by stream; empty if nothing was recorded.
        exits: the timestep after which each sample was finished, [N], under a rule of early exit:
            the outputs are those of that timestep. None if all samples ran all timesteps.
    """

    outputs: Mapping[int, Tensors]
    layers: Mapping[str, LayerTrace]
    exits: NDArray[np.int64] | None = None


class Run(Protocol):
    """A spiking model, loaded and ready to run over chunks of samples."""

    def run(
        self, feeds: Mapping[str, NDArray[np.generic]], timesteps: int, at: Sequence[int]
    ) -> Trace:
        """Run T timesteps and return the outputs after each timestep of ``at``, ascending."""
        ...

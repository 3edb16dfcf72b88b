"""What the lowering knows about a stream: that it is spikes, or a sum of synapses of spikes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

ENGINE = "onnx2snn.engine"
"""Domain of the fused operators; they live in memory only, never in a file."""

MOST_TERMS = 4
"""Most sources of one fused layer."""


class Link(IntEnum):
    """How a source reaches the neurons; the numbers are those of ``native/layers/geometry.h``."""

    CONVOLUTION = 0
    FULL = 1
    IDENTITY = 2
    DEPTHWISE = 3
    HELD = 4


@dataclass(frozen=True)
class Emissions:
    """Spikes as a channel-last tensor [T*N, *S, C] of signed quanta.

    Attributes:
        tensor: its name.
        quantum: what a quantum is worth, float32, one for each channel.
        codes: whether it holds one-byte codes (0 or a signed power of two), else floats.
        unit: whether every emission is 0 or 1.
        ternary: whether every emission is -1, 0 or 1.
        flat: whether the stream it stands for is flattened, [T*N, C*S].
        pool: the emissions that are summed along each axis of space before anything else happens;
            only convolutions read such emissions.
        active: name of the marks [T*N] that say which rows have an emission; empty if none do.
    """

    tensor: str
    quantum: NDArray[np.float32]
    codes: bool
    unit: bool
    ternary: bool = False
    flat: bool = False
    pool: tuple[int, int] = (1, 1)
    active: str = ""


@dataclass(frozen=True)
class Term:
    """One source of current: emissions behind a linear operator.

    Attributes:
        emissions: the spikes.
        link: how they reach the neurons.
        given: weights, float32.
        scale: what they are multiplied by, broadcastable: the quanta of the spikes.
        outputs: output channels.
        groups: groups of channels; weights are [outputs, channels / groups, *kernel].
        window: kernel, stride, dilation, pad before and pad after, each of two axes.
    """

    emissions: Emissions
    link: Link
    given: NDArray[np.float32]
    scale: NDArray[np.float32]
    outputs: int
    groups: int = 1
    window: tuple[int, ...] = (1, 1, 1, 1, 1, 1, 0, 0, 0, 0)

    @property
    def weights(self) -> NDArray[np.float32]:
        """Return the scaled weights; made anew each time, so that a net keeps no second copy."""
        return self.given * self.scale

    @property
    def geometry(self) -> NDArray[np.int64]:
        """Return the numbers ``native/layers/geometry.h`` reads."""
        numbers = [int(self.link), int(self.emissions.unit), self.outputs, self.groups]
        numbers += [*self.window, *self.emissions.pool]
        return np.array(numbers, dtype=np.int64)

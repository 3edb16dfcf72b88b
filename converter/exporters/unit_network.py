"""The unit network: what is left of a spiking model when it is drawn as boxes and arrows.

Parts are synapses (convolutions, dense layers), sum pools, flattenings and layers of unit-spike
neurons; an edge adds the output of one part to the input of another. Exchange formats and chips
speak of such networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.findings import Finding

Kind = Literal["input", "conv", "dense", "sum-pool", "mean-pool", "flatten", "neuron", "output"]
Sizes = tuple[int, ...]
Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One box.

    Attributes:
        name: an identifier, unique in the network.
        kind: what it does.
        shape: shape of its output, without the batch axis.
        source: node of the spiking model that it comes from.
        weight: [out, in, *kernel] of a convolution, [out, in] of a dense layer.
        bias: constant current per output channel, added at every timestep.
        kernel: window of a pool.
        stride: steps of the windows of a convolution or pool.
        padding: zeros on both sides of each spatial axis.
        dilation: spacing of a convolution's taps.
    """

    name: str
    kind: Kind
    shape: Sizes
    source: str = ""
    weight: Weights | None = None
    bias: Weights | None = None
    kernel: Sizes = ()
    stride: Sizes = ()
    padding: Sizes = ()
    dilation: Sizes = ()

    @property
    def is_synapse(self) -> bool:
        """Whether it has weights."""
        return self.weight is not None

    @property
    def size(self) -> int:
        """Return the number of its outputs per sample."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class UnitNetwork:
    """Boxes and arrows.

    Attributes:
        parts: by name, in topological order.
        edges: from, to.
        inputs: input part by graph input of the spiking model.
        outputs: output part by graph output of the spiking model.
        timesteps: how many to run: input and constant currents never end, so the S of the model.
        findings: what the drawing loses or refuses.
    """

    parts: Mapping[str, Part]
    edges: tuple[tuple[str, str], ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    timesteps: int
    findings: tuple[Finding, ...]

    def of(self, *kinds: Kind) -> tuple[Part, ...]:
        """Return the parts of some kinds."""
        return tuple(part for part in self.parts.values() if part.kind in kinds)

    def before(self, name: str) -> tuple[Part, ...]:
        """Return the parts that feed a part."""
        return tuple(self.parts[a] for a, b in self.edges if b == name)

    def after(self, name: str) -> tuple[Part, ...]:
        """Return the parts that a part feeds."""
        return tuple(self.parts[b] for a, b in self.edges if a == name)


class Drawing:
    """A unit network while it is drawn."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.edges: list[tuple[str, str]] = []

    def add(self, part: Part, before: Sequence[str] = ()) -> str:
        """Add a part behind others; return its name, made an identifier and unique."""
        name = self._identifier(part.name)
        self.parts[name] = replace(part, name=name)
        self.edges.extend((source, name) for source in before)
        return name

    def connect(self, source: str, target: str) -> None:
        """Add an edge; there is one at most between two parts."""
        if (source, target) not in self.edges:
            self.edges.append((source, target))

    def change(
        self, name: str, *, weight: Weights | None = None, bias: Weights | None = None
    ) -> None:
        """Give a synapse another weight or bias."""
        part = self.parts[name]
        self.parts[name] = replace(
            part,
            weight=part.weight if weight is None else weight,
            bias=part.bias if bias is None else bias,
        )

    def _identifier(self, wish: str) -> str:
        base = re.sub(r"\W+", "_", wish, flags=re.ASCII).strip("_") or "part"
        base = f"n{base}" if base[0].isdigit() else base
        name, number = base, 2
        while name in self.parts:
            name, number = f"{base}_{number}", number + 1
        return name

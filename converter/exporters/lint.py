"""Hardware lint: which layers exceed the public limits of a chip. Hints, never refusals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from onnx2snn.converter.exporters.unit_network import Part, UnitNetwork
from onnx2snn.ir.findings import Finding

KIB = 1024


@dataclass(frozen=True)
class Core:
    """The memory of one core, in words.

    Attributes:
        kernel: weights.
        neurons: states.
    """

    kernel: int
    neurons: int


@dataclass(frozen=True)
class Limits:
    """What a chip can hold.

    Attributes:
        name: of the chip.
        source: where the numbers come from.
        kernel: longest kernel; 0 means no limit, here and below.
        channels: most output channels of a layer.
        strides: strides of a convolution; empty means any.
        padding: widest padding.
        pools: sizes of sum pools; empty means any.
        side_in: longest side of a layer's input.
        side_out: longest side of a layer's output.
        destinations: layers that one layer may feed.
        weight_bits: bits of a weight, sign included.
        state_bits: bits of a membrane potential, sign included.
        cores: memory of each core; empty means unknown.
        avoids_bias: whether biases cost power or are missing.
    """

    name: str
    source: str
    kernel: int = 0
    channels: int = 0
    strides: tuple[int, ...] = ()
    padding: int = 0
    pools: tuple[int, ...] = ()
    side_in: int = 0
    side_out: int = 0
    destinations: int = 0
    weight_bits: int = 8
    state_bits: int = 16
    cores: tuple[Core, ...] = ()
    avoids_bias: bool = False


GENERIC = Limits(name="8-bit weights, 16-bit states", source="common to digital chips")

SPECK = Limits(
    name="Speck / DynapCNN",
    source="sinabs 3.1.3: documentation and sinabs/backend/dynapcnn",
    kernel=16,
    channels=1024,
    strides=(1, 2, 4, 8),
    padding=7,
    pools=(1, 2, 4),
    side_in=128,
    side_out=64,
    destinations=2,
    cores=(
        *(Core(16 * KIB, 64 * KIB) for _ in range(3)),
        *(Core(32 * KIB, 32 * KIB) for _ in range(2)),
        *(Core(64 * KIB, 16 * KIB) for _ in range(2)),
        *(Core(16 * KIB, 16 * KIB) for _ in range(2)),
    ),
    avoids_bias=True,
)


def lint(network: UnitNetwork, limits: Limits) -> Iterator[Finding]:
    """Yield a finding per layer and limit it exceeds."""
    for part in network.parts.values():
        problems: list[str] = []
        if part.is_synapse:
            problems += [*_shape_problems(network, part, limits), *_memory(network, part, limits)]
            problems += _bits(part, limits)
            if limits.avoids_bias and part.bias is not None and np.any(part.bias):
                problems.append("has biases, which keep the core busy at every timestep")
        elif part.kind in ("sum-pool", "mean-pool"):
            problems += _pool_problems(part, limits)
        elif part.kind == "neuron" and limits.destinations:
            fed = len(network.after(part.name))
            if fed > limits.destinations:
                problems.append(f"feeds {fed} layers, at most {limits.destinations}")
        for problem in problems:
            yield _finding(part, limits, problem)
    layers = sum(part.is_synapse for part in network.parts.values())
    if limits.cores and layers > len(limits.cores):
        yield Finding(
            code="hardware",
            severity="warning",
            message=f"{limits.name}: {layers} synapse layers, {len(limits.cores)} cores",
        )


def _shape_problems(network: UnitNetwork, part: Part, limits: Limits) -> Iterator[str]:
    assert part.weight is not None
    kernel = max(part.weight.shape[2:], default=1)
    before = network.before(part.name)[0]
    sides = (
        ("kernel of", kernel, limits.kernel),
        ("output channels:", part.shape[0], limits.channels),
        ("padding of", max(part.padding, default=0), limits.padding),
        ("input side of", max(before.shape[1:], default=1), limits.side_in),
        ("output side of", max(part.shape[1:], default=1), limits.side_out),
    )
    for what, value, most in sides:
        if most and value > most:
            yield f"{what} {value}, at most {most}"
    if limits.strides and any(step not in limits.strides for step in part.stride):
        yield f"stride {part.stride}, must be one of {limits.strides}"


def _memory(network: UnitNetwork, part: Part, limits: Limits) -> Iterator[str]:
    """Yield a problem if no core holds the layer: words as the chip allots them."""
    assert part.weight is not None
    before = network.before(part.name)[0]
    inputs = before.shape[0] if part.kind == "conv" else part.weight.shape[1]
    taps = int(np.prod(part.weight.shape[2:]))
    kernel = inputs * 2 ** (_log(taps) + _log(part.shape[0]))
    neurons = part.shape[0] * 2 ** sum(_log(side) for side in part.shape[1:])
    if limits.cores and not any(c.kernel >= kernel and c.neurons >= neurons for c in limits.cores):
        yield f"no core holds {kernel} words of weights and {neurons} of states"


def _pool_problems(part: Part, limits: Limits) -> Iterator[str]:
    if limits.pools and any(side not in limits.pools for side in part.kernel):
        yield f"pool of {part.kernel}, must be one of {limits.pools}"
    elif limits.pools and part.kernel != part.stride:
        yield f"pool of {part.kernel} with stride {part.stride}: they must be equal"


def _bits(part: Part, limits: Limits) -> Iterator[str]:
    """Yield a problem if one timestep can overflow the state at full weight resolution."""
    assert part.weight is not None
    largest = float(np.abs(part.weight).max(initial=0.0))
    if not largest:
        return
    rows = np.abs(part.weight).reshape(part.weight.shape[0], -1).sum(axis=1)
    level = float(rows.max()) / largest * (2 ** (limits.weight_bits - 1) - 1)
    bits = _log(math.ceil(level) + 1) + 1
    if bits > limits.state_bits:
        fan_in = rows.size and int(np.prod(part.weight.shape[1:]))
        yield (
            f"fan-in {fan_in}: if all inputs spike at once the state needs {bits} bits, "
            f"it has {limits.state_bits}"
        )


def _log(value: int) -> int:
    return math.ceil(math.log2(value)) if value > 1 else 0


def _finding(part: Part, limits: Limits, problem: str) -> Finding:
    return Finding(
        code="hardware",
        severity="warning",
        message=f"{limits.name}: {problem}",
        node=part.source or part.name,
        op=part.kind,
    )

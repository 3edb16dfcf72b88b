"""How many samples fit into a memory budget at once, and whether time must be split as well."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.derive.parts import names_read, split_parts
from onnx2snn.ir.derive.settle import shape_model, shape_name
from onnx2snn.ir.derive.step import step_states
from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session

OVERHEAD = 4
"""Memory in use per byte of live tensors: copies inside neurons, counting, the arena's slack."""

STATE_COPIES = 6
"""Copies of the states around one timestep: before, after, those before, the arena's slack."""

RECORD_COPIES = 3
"""Copies of an event map (of the chunk, of all chunks, on the way) or of the final counts."""

MOST_ROWS = 8192
"""Most rows (samples times timesteps) of one call: larger calls are no faster."""

_UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Footprint:
    """What a spiking model needs for one sample.

    Attributes:
        row: bytes of the tensors that live at the same time, one sample and timestep.
        states: bytes of all states, one sample.
        recorded: bytes of all streams that are recorded, one sample and timestep.
    """

    row: int
    states: int
    recorded: int = 0


@dataclass(frozen=True)
class Plan:
    """How a run is split.

    Attributes:
        samples: samples per call.
        steps: timesteps per call; fewer than T if time is split too.
    """

    samples: int
    steps: int


def parse_memory(text: str | int) -> int:
    """Return a number of bytes from, e.g., ``2GiB``, ``512M`` or a plain number.

    Raises:
        SimulationError: the text says no number of bytes.
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)(?:i?B)?\s*", str(text), re.IGNORECASE)
    try:
        if match is None:
            raise ValueError(text)
        number = int(float(match[1]) * _UNITS[match[2].upper()])
    except ValueError as error:
        raise SimulationError(
            f"'{text}' is no amount of memory", remedy="write, e.g., 2GiB or 512MiB"
        ) from error
    if number <= 0:
        raise SimulationError("the memory budget must be positive", remedy="write, e.g., 2GiB")
    return number


def measure_footprint(
    model: SpikingModel,
    feeds: Mapping[str, NDArray[np.generic]],
    samples: int = 1,
    recorded: Sequence[str] = (),
) -> Footprint:
    """Return what one sample needs, from the shapes of all streams.

    Args:
        model: the spiking model.
        feeds: inputs of ``samples`` samples.
        samples: batch size of ``feeds``.
        recorded: streams that are recorded.
    """
    graph = model.plain.graph
    body = split_parts(graph).body
    streams = [name for node in body for name in node.output]
    states = step_states(body)
    wanted = [*streams, *(state.like for state in states)]
    shapes = Session(shape_model(model, wanted)).run(feeds)
    size = {name: 4 * math.prod(shapes[shape_name(name)].tolist()) for name in wanted}
    return Footprint(
        row=-(-_peak(body, size) // samples),
        states=-(-sum(size[state.like] for state in states) // samples),
        recorded=-(-sum(size[name] for name in recorded) // samples),
    )


def _peak(nodes: tuple[onnx.NodeProto, ...], size: Mapping[str, int]) -> int:
    """Return the most bytes alive at once if every tensor is freed after its last reader."""
    last = {name: i for i, node in enumerate(nodes) for name in names_read(node)}
    alive: dict[str, int] = {}
    peak = 0
    for i, node in enumerate(nodes):
        alive.update({name: size[name] for name in node.output})
        peak = max(peak, sum(alive.values()))
        alive = {name: bytes_ for name, bytes_ in alive.items() if last.get(name, -1) > i}
    return peak


def plan_run(
    footprint: Footprint,
    timesteps: int,
    memory: int,
    *,
    maps: int = 0,
    fixed_batch: int | None = None,
    foldable: bool = True,
    steps: int | None = None,
) -> Plan:
    """Split a run so that it stays inside a memory budget.

    Args:
        footprint: needs of one sample.
        timesteps: T.
        memory: bytes.
        maps: number of event maps, if events are recorded.
        fixed_batch: the only batch size the model takes, if there is one.
        foldable: whether time may be folded into the batch; otherwise one timestep per call.
        steps: most timesteps per call; all of them if not given.

    Raises:
        SimulationError: not even a single timestep of the least batch fits.
    """
    least = fixed_batch or 1
    counts = RECORD_COPIES * footprint.recorded
    available = max(0, memory - maps * counts)
    chunk = min(steps or timesteps, timesteps) if foldable else 1
    while True:
        carried = STATE_COPIES * footprint.states if chunk < timesteps or not foldable else 0
        single = OVERHEAD * footprint.row * chunk + carried + counts
        samples = available // single
        if samples >= least:
            return Plan(fixed_batch or min(samples, max(1, MOST_ROWS // chunk)), chunk)
        if chunk == 1:
            needed = -(-(single * least + maps * counts) // 2**20)
            raise SimulationError(
                f"one timestep of {least} sample(s) needs about {needed} MiB, more than the budget",
                remedy=f"allow at least {needed}MiB with --memory",
            )
        chunk = -(-chunk // 2)

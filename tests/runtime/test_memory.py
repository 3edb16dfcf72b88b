"""Memory: amounts in words, footprints by hand, plans that keep their promise."""

from __future__ import annotations

import pytest
from spiking_nets import conv_net, images

from onnx2snn.ir.errors import SimulationError
from onnx2snn.runtime.runs.memory import (
    MOST_ROWS,
    OVERHEAD,
    RECORD_COPIES,
    STATE_COPIES,
    Footprint,
    measure_footprint,
    parse_memory,
    plan_run,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2GiB", 2**31),
        ("512MiB", 2**29),
        ("512m", 2**29),
        ("1.5 GB", 3 * 2**29),
        ("4096", 4096),
        (4096, 4096),
        ("1KiB", 1024),
    ],
)
def test_amounts_of_memory(text: str | int, expected: int) -> None:
    assert parse_memory(text) == expected


def test_footprint_by_hand() -> None:
    """Encoder 72, pool 36, neurons 36: the peak is the first Conv, 72 in and 144 out."""
    footprint = measure_footprint(conv_net(), images(3), 3, ["spikes0", "spikes1"])
    charges_and_counts = 2 * (72 + 36 + 36)
    pool, read_out = 144 + 36, 4
    assert footprint.row == 4 * (72 + 144)
    assert footprint.states == 4 * (charges_and_counts + pool + read_out)
    assert footprint.recorded == 4 * (72 + 36)


def test_plans_stay_inside_the_budget() -> None:
    footprint = Footprint(row=1000, states=500, recorded=100)
    for memory in (20_000, 100_000, 1_000_000, 10**8):
        plan = plan_run(footprint, 8, memory, maps=3)
        counts = RECORD_COPIES * footprint.recorded
        states = STATE_COPIES * footprint.states if plan.steps < 8 else 0
        needed = (
            plan.samples * (OVERHEAD * footprint.row * plan.steps + states + counts) + 3 * counts
        )
        assert needed <= memory
        assert plan.samples * plan.steps <= MOST_ROWS


def test_time_is_split_only_if_it_must_be() -> None:
    footprint = Footprint(row=1000, states=500)
    carried = STATE_COPIES * 500
    assert plan_run(footprint, 8, OVERHEAD * 8 * 1000).steps == 8
    assert plan_run(footprint, 8, OVERHEAD * 8 * 1000 - 1).steps == 4
    assert plan_run(footprint, 8, OVERHEAD * 2 * 1000 + carried).steps == 2
    assert plan_run(footprint, 8, OVERHEAD * 2 * 1000 + carried - 1).steps == 1
    assert plan_run(footprint, 8, 10**9, foldable=False).steps == 1
    assert plan_run(footprint, 8, 10**9, steps=3).steps == 3


def test_a_fixed_batch_is_kept_or_refused() -> None:
    footprint = Footprint(row=1000, states=500)
    assert plan_run(footprint, 8, 10**9, fixed_batch=5).samples == 5
    with pytest.raises(SimulationError, match="one timestep of 5 sample"):
        plan_run(footprint, 8, 20_000, fixed_batch=5)

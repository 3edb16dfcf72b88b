"""The table of measured ratios beside the targets."""

from __future__ import annotations

from targets import TARGETS, Cell, Target, best_peer, summary

CELL = Cell("mlp 0.1", 1, 32)
RATIOS = {"A": 1.0, "bodies": 2.0, "event": 12.0, "event int8": 40.0, "a": 3.0, "b + compile": 4.0}


def test_the_best_peer_is_the_fastest_framework_at_its_best_setting() -> None:
    assert best_peer(RATIOS) == "b + compile"
    assert best_peer({"A": 1.0, "event": 30.0}) is None


def test_ratios_stand_beside_their_targets() -> None:
    *_, line = summary({str(CELL): RATIOS, "other, 1, 32": RATIOS}, {CELL: Target(25, 40, 3, 11)})
    cells = [cell.strip() for cell in line.strip("| ").split("|")]
    assert cells == [
        "mlp 0.1, 1, 32",
        "12.00 (>= 25)",
        "**40.00** (>= 40)",
        "4.00 (b + compile)",
        "**3.00** (>= 3)",
        "10.00 (>= 11)",
    ]


def test_what_was_not_measured_is_left_out() -> None:
    assert len(list(summary({}))) == 2
    *_, line = summary({str(CELL): {"A": 1.0, "event": 30.0}})
    assert line == "| mlp 0.1, 1, 32 | **30.00** (>= 25) |  |  |  |  |"


def test_cells_are_told_apart_by_their_text() -> None:
    assert len({str(cell) for cell in TARGETS}) == len(TARGETS)

"""Pages of stored weights: in memory for the network whose turn it is, and no other."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper, parser

from onnx2snn.ir import stored_weights
from onnx2snn.ir.session import Session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SIDE = 1024
KIB = 4 * SIDE * SIDE // 1024


def session(seed: int, *, reread: bool = True) -> Session:
    model = parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 21]>net (float[N, {SIDE}] x) => (float[N, M] y) '
        "{ y = MatMul (x, w) }"
    )
    weights = np.random.default_rng(seed).normal(size=(SIDE, SIDE)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    return Session(model, reread=reread, threads=1)


def resident() -> int:
    """KiB of mapped weight files in memory."""
    total, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(maxsplit=1)[0]:
            ours = stored_weights.PREFIX in line
        elif ours and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


def test_pages_are_those_of_the_network_whose_turn_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_weights, "LEAST_TOTAL", 1)
    x = {"x": np.random.default_rng(0).normal(size=(2, SIDE)).astype(np.float32)}
    sessions = [session(seed) for seed in (1, 2)]
    first = []
    for turn in range(4):
        first.append(sessions[turn % 2].run(x)["y"])
        assert resident() == KIB
    for before, after in zip(first[:2], first[2:], strict=True):
        np.testing.assert_array_equal(before, after)
    once = session(3, reread=False)
    once.run(x)
    assert resident() == 0


def test_small_networks_have_no_such_pages() -> None:
    loaded = session(1)
    loaded.run({"x": np.zeros((1, SIDE), np.float32)})
    assert resident() == 0

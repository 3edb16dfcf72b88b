"""The table of speeds: every contender runs the same net, and says how far it agrees."""

from __future__ import annotations

import argparse
from pathlib import Path

import contenders
import firing_nets
import numpy as np
import onnx
import peers
import pytest
import speed

from onnx2snn.ir.session import Session
from onnx2snn.runtime.native.library import why_not_built


def tiny(net: firing_nets._Builder) -> onnx.ModelProto:
    """A residual block, an average pool and a dense layer for 8 x 8 images."""
    x = net.relu(net.conv("image", 3, 8))
    inner = net.conv(net.relu(net.conv(x, 8, 8)), 8, 8)
    x = net.relu(net.node("Add", [inner, x]))
    x = net.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    return net.model((3, 8, 8), net.dense(net.node("Flatten", [x]), 128, 10))


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> contenders.Task:
    monkeypatch.setitem(firing_nets.NETS, "tiny", tiny)
    made = firing_nets.firing_net("tiny", 0.1, 6)
    onnx.save(made.ann, tmp_path / "tiny.onnx")
    made.model.save(tmp_path / "tiny.snn.onnx")
    return contenders.Task(
        tmp_path / "tiny.onnx", tmp_path / "tiny.snn.onnx", made.samples[:3], 6, 1
    )


def test_rows_of_our_own_runs(task: contenders.Task) -> None:
    if why_not_built():
        pytest.skip(why_not_built())
    told = argparse.Namespace(
        peers=False, runs=None, turns=2, seconds=0.0, cpu_time=True, memory=False, check=True,
        answers=5,
    )  # fmt: skip
    net = speed.Net("tiny", task.ann, task.snn, task.x, True)
    measured = list(speed.rows(task, net, told))
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for _, _, line in measured]
    assert [row[1] for row in cells] == list(contenders.OURS)
    assert all(median > 0 for _, median, _ in measured)
    found = {row[1]: row for row in cells}
    assert found["bodies"][4] == "100.0000%"
    assert found["compiled"][4] == "100.0000%"
    assert float(found["compiled"][5]) == 0
    assert float(found["event"][5]) < 0.05  # another order of summation moves few spikes
    assert found["A"][0].startswith("tiny, 3, 6, fires 0.")
    assert found["event int8"][4].endswith("of 3 answers")


def test_a_contender_that_fails_is_a_row(
    task: contenders.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, task: contenders.Task) -> contenders.Run:
        if name == "by hand":
            raise RuntimeError("no compiler\nis there")
        return contenders.load("A", task)

    monkeypatch.setattr(speed, "load", load)
    monkeypatch.setattr(speed, "names", lambda peers, x: ["A", "bodies", "by hand"])
    told = argparse.Namespace(peers=True, runs=None)
    found = dict(speed.loaded(task, told))
    assert found.pop("by hand") == "RuntimeError: no compiler is there"
    assert all(callable(run) for run in found.values())


@pytest.mark.skipif("by hand" not in peers.installed(), reason="PyTorch is not installed")
@pytest.mark.parametrize("setting", ["", " + channels_last", " + singly"])
def test_a_loop_in_pytorch_gives_our_outputs(task: contenders.Task, setting: str) -> None:
    """Independent of our code: thresholds folded into weights, unit spikes."""
    ours = contenders.load("bodies", task)()
    theirs = contenders.load(f"by hand{setting}", task)()
    np.testing.assert_allclose(theirs, ours, atol=0.02 * np.abs(ours).max())


def test_the_limit_is_the_plain_network(task: contenders.Task) -> None:
    plain = Session(onnx.load(task.ann)).run({"image": task.x})
    (expected,) = plain.values()
    np.testing.assert_allclose(contenders.load("A", task)(), expected, rtol=1e-5, atol=1e-5)
    folded = contenders.load("fold", task)().reshape(6, *expected.shape)
    np.testing.assert_allclose(folded, [expected] * 6, rtol=1e-5, atol=1e-5)

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.cli.app import build_app


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


RunCli = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> RunCli:
    """The command line, in this process."""

    def run_cli(*arguments: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            build_app()([str(argument) for argument in arguments], prog_name="onnx2snn")
        captured = capsys.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run_cli


def mlp(seed: int = 0, relu: str = "relu") -> onnx.ModelProto:
    """A net of one hidden layer, input x [N, 6], output y [N, 3]."""
    rng = np.random.default_rng(seed)
    w1, w2 = rng.normal(size=(6, 8)), rng.normal(size=(8, 3))
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w1"], ["h"], name="fc1"),
            helper.make_node("Relu", ["h"], ["r"], name=relu),
            helper.make_node("MatMul", ["r", "w2"], ["y"], name="fc2"),
        ],
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [
            numpy_helper.from_array(w1.astype(np.float32), "w1"),
            numpy_helper.from_array(w2.astype(np.float32), "w2"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def ann(tmp_path: Path) -> Path:
    """The file of a tiny network."""
    path = tmp_path / "tiny.onnx"
    onnx.save(mlp(), path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Samples and labels for it."""
    path = tmp_path / "data.npz"
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 6)).astype(np.float32)
    np.savez(path, x=x, labels=rng.integers(0, 3, 40))
    return path


@pytest.fixture
def snn(run: RunCli, ann: Path, data: Path) -> Path:
    """The tiny network, converted."""
    assert run("convert", ann, "--calibration", data).code == 0
    return ann.with_name("tiny.snn.onnx")

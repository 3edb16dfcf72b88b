from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def test_convertible(run, ann: Path) -> None:
    ran = run("check", ann)
    assert ran.code == 0
    assert "relu" in ran.out
    assert "converts" in ran.out
    found = run("check", ann, "--json").json
    assert found["convertible"] is True
    assert {node["fate"] for node in found["nodes"]} >= {"neuron", "linear"}


def test_not_convertible(run, tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"], name="copy")],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
    )
    path = tmp_path / "linear.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    ran = run("check", path, "--json")
    assert ran.code == 2
    assert ran.json["convertible"] is False
    assert "no-activation" in {finding["code"] for finding in ran.json["findings"]}
    assert "does not convert" in run("check", path, "--strict").out


def test_unreadable(run, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"no model")
    assert run("check", path).code == 2
    assert run("check", path, "--json").json["convertible"] is False

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx2snn.ir.model import SpikingModel


def test_writes_beside_the_model(run, ann: Path, data: Path) -> None:
    ran = run("convert", ann, "--calibration", data)
    assert ran.code == 0
    assert "graded" in ran.out
    assert "wrote" in ran.out
    model = SpikingModel.load(ann.with_name("tiny.snn.onnx"))
    assert model.manifest.calibration.samples == 40


def test_output_may_be_a_file_or_a_folder(run, ann: Path, tmp_path: Path) -> None:
    assert run("convert", ann, "-o", tmp_path / "a" / "b.onnx").code == 0
    assert (tmp_path / "a" / "b.onnx").is_file()
    assert run("convert", ann, "-o", f"{tmp_path}/new/").code == 0
    assert (tmp_path / "new" / "tiny.snn.onnx").is_file()


def test_json_is_all_of_stdout(run, ann: Path, data: Path) -> None:
    ran = run("convert", ann, "--calibration", data, "--json", "--timesteps", 4)
    assert ran.json["status"] == "converted"
    assert ran.json["manifest"]["timesteps"] == 4
    assert ran.json["report"]["neuron_layers"] >= 1
    assert ran.err == ""


def test_stimulus(run, ann: Path, data: Path) -> None:
    for asked, expected in (("3", 3), ("all", None)):
        ran = run(
            "convert",
            ann,
            "--calibration",
            data,
            "--json",
            "--preset",
            "ternary",
            "--stimulus",
            asked,
        )
        assert ran.json["manifest"]["stimulus"] == expected


@pytest.mark.parametrize("bound", ["5%", "0.05"])
def test_max_loss_searches_timesteps(run, ann: Path, data: Path, bound: str) -> None:
    ran = run("convert", ann, "--calibration", data, "--json", "--max-loss", bound)
    assert ran.code == 0
    found = ran.json["manifest"]["timesteps"]
    losses = {point["timesteps"]: point["loss"] for point in ran.json["report"]["search"]}
    assert losses[found] <= 0.05


def test_report(run, ann: Path, data: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    assert run("convert", ann, "--calibration", data, "--report", page).code == 0
    assert "tiny" in page.read_text()
    assert page.with_suffix(".json").is_file()


@pytest.mark.parametrize(
    "options",
    [
        ("--preset", "none-such"),
        ("--timesteps", "0"),
        ("--stimulus", "x"),
        ("--max-loss", "much"),
        ("--max-loss", "0.5%"),  # without calibration data
        ("--calibration", "none-such.npz"),
        ("--size", "big"),
        ("--report", "r.json"),
        ("--unknown",),
    ],
)
def test_bad_usage(run, ann: Path, options: tuple[str, ...]) -> None:
    ran = run("convert", ann, *options)
    assert ran.code == 2
    assert ran.out == ""
    assert not ann.with_name("tiny.snn.onnx").exists()


def test_missing_model(run, tmp_path: Path) -> None:
    ran = run("convert", tmp_path / "none.onnx", "--json")
    assert ran.code == 2
    assert ran.json["error"]["code"] == "invalid-model"
    assert "none.onnx" in ran.err


def test_unsupported_operators_are_all_named(run, tmp_path: Path) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["a"], name="relu"),
            helper.make_node("Compress", ["a", "keep"], ["b"], name="first_pick", axis=1),
            helper.make_node("MatMul", ["b", "w"], ["c"], name="fc1"),
            helper.make_node("Compress", ["a", "keep"], ["d"], name="other_pick", axis=1),
            helper.make_node("MatMul", ["d", "w"], ["e"], name="fc2"),
            helper.make_node("Add", ["c", "e"], ["y"], name="sum"),
        ],
        "picks",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [
            helper.make_tensor("w", TensorProto.FLOAT, [4, 4], np.eye(4, dtype=np.float32).ravel()),
            helper.make_tensor("keep", TensorProto.BOOL, [4], [True] * 4),
        ],
    )
    path = tmp_path / "picks.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    ran = run("convert", path)
    assert ran.code == 2
    assert "[unsupported-op]" in ran.err
    for told in ("first_pick", "Compress", "other_pick", "opset", "What to do"):
        assert told in ran.err
    assert list(tmp_path.glob("*.snn.onnx")) == []


def test_calibration_that_does_not_fit(run, ann: Path, tmp_path: Path) -> None:
    path = tmp_path / "wrong.npz"
    np.savez(path, x=np.zeros((5, 7), np.float32))
    ran = run("convert", ann, "--calibration", path, "--json")
    assert ran.code == 2
    assert ran.json["error"]["code"] == "bad-data"
    assert "[N, 6]" in ran.err


def test_unwritable_output(run, ann: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run("convert", ann, "-o", tmp_path / "file" / "x.snn.onnx")
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_the_model_is_never_overwritten(run, ann: Path) -> None:
    before = ann.read_bytes()
    assert run("convert", ann, "-o", ann).code == 2
    assert ann.read_bytes() == before


def test_bugs_leave_70_and_a_traceback_only_on_request(
    run, ann: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr("onnx2snn.cli.conversion_job.run_conversion", broken)
    ran = run("convert", ann)
    assert ran.code == 70
    assert "oops" in ran.err
    assert "Traceback" not in ran.err
    with pytest.raises(RuntimeError, match="oops"):
        run("--debug", "convert", ann)


def test_input_coding_and_read_out(run, ann: Path, data: Path) -> None:
    asked = ("convert", ann, "--calibration", data, "--preset", "ternary", "--json")
    ran = run(*asked, "--input-coding", "poisson", "--read-out", "lif-stdp")
    assert "Poisson" in ran.json["manifest"]["input_coding"]
    assert "trained by STDP" in ran.json["manifest"]["read_out"]
    again = run(*asked, "--input-coding", "poisson", "--read-out", "lif-stdp", "--resume")
    assert again.json["status"] == "skipped"
    other = run(*asked, "--input-coding", "latency", "--read-out", "lif-stdp", "--resume")
    assert other.json["status"] == "converted"
    wrong = run("convert", ann, "--input-coding", "morse")
    assert wrong.code == 2
    assert "poisson" in wrong.err


def test_every_knob_can_be_set_and_is_kept(run, ann: Path, data: Path) -> None:
    asked = ("convert", ann, "--calibration", data, "--preset", "rate", "--json")
    ran = run(
        *asked, "--knob", "granularity=layer", "--knob", "levels=none", "--knob", "shift=bias"
    )
    knobs = ran.json["manifest"]["knobs"]
    assert (knobs["granularity"], knobs["levels"], knobs["shift"]) == ("layer", None, "bias")
    assert run(*asked, "--resume", "--knob", "shift=bias").json["status"] == "converted"
    assert run(*asked, "--resume", "--knob", "shift=bias").json["status"] == "skipped"
    assert run(*asked, "--knob", "shift").code == 2
    assert "unknown option" in run(*asked[:-1], "--knob", "no=1").err


def test_layer_errors_are_printed(run, ann: Path, data: Path) -> None:
    ran = run("convert", ann, "--calibration", data, "--layer-errors")
    assert "own error" in ran.out

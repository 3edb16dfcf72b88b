from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from PIL import Image
from tests.cli.conftest import mlp

from onnx2snn.cli.app import VERBS
from onnx2snn.cli.output import printable
from onnx2snn.runtime.native.library import why_not_built


def test_evaluate_json_keeps_the_contract(
    run, snn: Path, ann: Path, data: Path, tmp_path: Path
) -> None:
    page = tmp_path / "r.html"
    arguments = ("evaluate", snn, "--ann", ann, "--data", data, "--timesteps", "4,1,16")
    ran = run(*arguments, "--json", "--report", page)
    assert ran.code == 0
    found = ran.json
    assert {"accuracy"} <= set(found["ann"])
    assert {"accuracy", "agreement"} <= set(found["ptq"])
    assert [point["timesteps"] for point in found["curve"]] == [1, 4, 16]
    wanted = {"timesteps", "accuracy", "agreement", "relative_error", "events_per_neuron"}
    assert all(wanted <= set(point) for point in found["curve"])
    assert {"silent_at", "alphabet", "stimulus_steps", "input_coding", "analog_ops"} <= set(found)
    assert found["energy"]
    assert "<svg" in page.read_text()
    assert run(*arguments).code == 0


def test_evaluate_warns_of_another_ann(run, snn: Path, data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    onnx.save(mlp(5), other)
    ran = run("evaluate", snn, "--ann", other, "--data", data)
    assert ran.code == 0
    assert "not the file" in ran.err


def test_diagnose_names_errors_and_layers(
    run, snn: Path, ann: Path, data: Path, tmp_path: Path
) -> None:
    page = tmp_path / "d.html"
    arguments = ("diagnose", snn, "--ann", ann, "--data", data, "--samples", "5")
    ran = run(*arguments, "--json", "--report", page)
    assert ran.code == 0
    found = ran.json
    assert found["samples"] == 5
    assert {"worst_kind", "worst_layer", "advice", "relative_error", "errors"} <= set(found)
    assert [layer["name"] for layer in found["layers"]][-1] == "relu"
    assert page.read_text().startswith("<!doctype html>")
    told = run(*arguments, "--timesteps", "1", "--no-layers")
    assert told.code == 0
    assert "residual-positive" in told.out


@pytest.mark.parametrize("steps", ["", "0", "1,x", "1.5"])
def test_evaluate_refuses_timesteps(run, snn: Path, ann: Path, data: Path, steps: str) -> None:
    assert run("evaluate", snn, "--ann", ann, "--data", data, "--timesteps", steps).code == 2


def test_an_ann_is_no_snn(run, ann: Path, data: Path) -> None:
    for arguments in (("inspect", ann), ("evaluate", ann, "--ann", ann, "--data", data)):
        ran = run(*arguments, "--json")
        assert ran.code == 2
        assert ran.json["error"]["code"] == "invalid-model"


def test_unknown_backend(run, snn: Path, ann: Path, data: Path) -> None:
    ran = run("evaluate", snn, "--ann", ann, "--data", data, "--backend", "abacus")
    assert ran.code == 2
    assert "onnxruntime" in ran.err


@pytest.mark.parametrize("backend", ["onnxruntime", "reference"])
def test_int8_weights_are_those_of_the_event_engine(
    run, snn: Path, ann: Path, data: Path, tmp_path: Path, backend: str
) -> None:
    asked = ("--data", data, "--backend", backend, "--weights", "int8")
    for verb in (("evaluate", snn, "--ann", ann), ("simulate", snn, "-o", tmp_path / "out.npz")):
        ran = run(*verb, *asked)
        assert ran.code == 2
        assert "has no int8 weights" in " ".join(ran.err.split())


@pytest.mark.skipif(bool(why_not_built()), reason="needs the compiled engine")
def test_an_account_says_what_its_weights_are(run, snn: Path, ann: Path, data: Path) -> None:
    asked = ("evaluate", snn, "--ann", ann, "--data", data, "--backend", "event")
    assert run(*asked, "--json").json["weights"] == "float32"
    whole = run(*asked, "--weights", "int8", "--json")
    assert (whole.code, whole.json["weights"]) == (0, "int8")
    assert "int8 weights" in run(*asked, "--weights", "int8").out


@pytest.mark.skipif(bool(why_not_built()), reason="needs the compiled engine")
def test_the_default_backend_is_named(
    run, snn: Path, ann: Path, data: Path, tmp_path: Path
) -> None:
    assert run("evaluate", snn, "--ann", ann, "--data", data, "--json").json["backend"] == "event"
    asked = ("simulate", snn, "--data", data, "-o", tmp_path / "out.npz", "--json", "--record")
    assert run(*asked, "counts").json["backend"] == "event"
    assert run(*asked, "spikes").json["backend"] == "onnxruntime"


@pytest.mark.parametrize(("record", "kept"), [("spikes", 2), ("counts", 1), ("none", 0)])
def test_simulate(run, snn: Path, data: Path, tmp_path: Path, record: str, kept: int) -> None:
    out = tmp_path / "o" / "out.npz"
    ran = run(
        "simulate", snn, "--data", data, "-o", out, "--timesteps", 6, "--record", record, "--json"
    )
    assert ran.code == 0
    assert ran.json["timesteps"] == 6
    with np.load(out) as found:
        assert found["y"].shape == (40, 3)
        assert int(found["snn.timesteps"]) == 6
        assert ("snn.counts.0" in found) == (kept >= 1)
        assert ("snn.spikes.0" in found) == (kept >= 2)
        if kept:
            assert found["snn.events"].shape == (len(found["snn.layers"]), 6)
    assert "wrote" in run("simulate", snn, "--data", data, "-o", out).out


def test_early_exit(run, snn: Path, ann: Path, data: Path, tmp_path: Path) -> None:
    rule = ("--early-exit", "margin", "--exit-threshold", "0.5", "--exit-every", "2")
    ran = run("evaluate", snn, "--ann", ann, "--data", data, *rule, "--json")
    assert ran.code == 0
    found = ran.json["early_exit"]
    assert found["mean_timesteps"] < ran.json["timesteps"]
    assert "early exit" in run("evaluate", snn, "--ann", ann, "--data", data, *rule).out
    kept = tmp_path / "out.npz"
    tuned = ("--early-exit", "entropy", "--calibration", data, "--max-loss", "10%")
    ran = run("simulate", snn, "--data", data, "-o", kept, *tuned, "--json")
    assert ran.code == 0
    with np.load(kept) as arrays:
        assert arrays["snn.exits"].mean() == ran.json["mean_timesteps"]


@pytest.mark.parametrize(
    "words",
    [
        ("--early-exit", "margin"),
        ("--exit-threshold", "0.5"),
        ("--early-exit", "margin", "--exit-threshold", "1", "--calibration", "x.npz"),
    ],
)
def test_early_exit_needs_one_threshold(run, snn: Path, data: Path, words: tuple[str, ...]) -> None:
    ran = run("simulate", snn, "--data", data, "-o", "out.npz", *words)
    assert ran.code == 2
    assert "--early-exit" in ran.err


def test_inspect(run, snn: Path) -> None:
    record = run("inspect", snn, "--json").json
    assert record["inputs"] == ["x"]
    assert "relu" in {layer["name"] for layer in record["neurons"]}
    assert record["manifest"]["source"]["name"] == "tiny"
    assert record["functions"]
    shown = run("inspect", snn).out
    assert "relu" in shown
    assert record["manifest"]["source"]["sha256"] in shown


def test_presets_and_ops(run) -> None:
    assert "ternary" in run("presets").out
    assert {preset["name"] for preset in run("presets", "--json").json} >= {"graded", "seed:ftbc"}
    assert "threshold_rule" in run("presets", "seed:ftbc").out
    shown = run("ops").out
    assert "LeakyRelu" in shown
    assert "fold constants" in shown
    found = run("ops", "--json").json
    fates = {row["fate"] for row in found["operators"]}
    assert {"neuron", "linear", "spiking-pool", "lift", "read-out", "folded", "refused"} <= fates
    assert found["rewritings"][0]["name"] == "fold constants"


def test_ops_by_name(run) -> None:
    found = run("ops", "softmax", "--json").json["operators"]
    assert {row["operator"] for row in found} >= {"Softmax", "LogSoftmax", "QLinearSoftmax"}
    shown = run("ops", "softmax").out
    assert "analog" in shown
    assert "Relu" not in shown
    assert "no operator has a name like this" in run("ops", "softest").out


def test_demo(run, tmp_path: Path) -> None:
    ran = run("demo", tmp_path / "demo")
    assert ran.code == 0
    assert "Next:" in ran.out
    assert (tmp_path / "demo" / "digits_cnn.snn.onnx").is_file()
    assert (tmp_path / "demo" / "report.html").is_file()
    found = run("demo", tmp_path / "demo", "--json").json
    assert found["curve"][-1]["agreement"] >= 0.99


def test_every_verb_has_help(run) -> None:
    for verb in VERBS:
        ran = run(verb.__name__, "--help")
        assert ran.code == 0
        assert "Usage" in ran.out


def test_help_loads_no_onnx() -> None:
    code = (
        "import sys; from onnx2snn.cli.app import build_app\n"
        "try: build_app()(['convert', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'onnx', 'onnxruntime', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env=_environment()
    )


def _environment() -> dict[str, str]:
    source = Path(__file__).resolve().parents[2] / "src"
    return {**os.environ, "PYTHONPATH": str(source)}


def test_control_characters_never_reach_the_terminal(run, tmp_path: Path, data: Path) -> None:
    assert printable("a\x1b[31mb\u202ec\u00a0d") == "a\\x1b[31mb\\u202ec\u00a0d"
    path = tmp_path / "hostile.onnx"
    onnx.save(mlp(relu="re\x1b]0;x\x07[bold]lu"), path)
    ran = run("convert", path, "--calibration", data)
    shown = run("inspect", tmp_path / "hostile.snn.onnx").out
    assert ran.code == 0
    assert "\x1b" not in ran.out + ran.err + shown
    assert "[bold]" in shown


def test_a_budget_nobody_understands(run, snn: Path, data: Path, tmp_path: Path) -> None:
    ran = run("simulate", snn, "--data", data, "-o", tmp_path / "o.npz", "--memory", "much")
    assert ran.code == 2
    assert not (tmp_path / "o.npz").exists()


def test_a_folder_of_images_is_data(run, tmp_path: Path) -> None:
    net = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N,3,4,4] x) => (float[N,2] y) <float[2,3,4,4] w>
    { c = Conv (x, w) r = Relu (c) y = Flatten (r) }"""
    model = onnx.parser.parse_model(net)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 3, 4, 4)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    onnx.save(model, tmp_path / "net.onnx")
    for index in range(12):
        folder = tmp_path / "images" / f"class{index % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    options = ("--mean", "0.5", "--std", "0.5,0.4,0.3", "--scale", "1/255", "--layout", "nchw")
    images = tmp_path / "images"
    ran = run("convert", tmp_path / "net.onnx", "--calibration", images, "--size", "4", *options)
    assert ran.code == 0
    snn = tmp_path / "net.snn.onnx"
    ran = run("evaluate", snn, "--ann", tmp_path / "net.onnx", "--data", images, "--json", *options)
    assert ran.json["samples"] == 12
    assert ran.json["ann"]["accuracy"] is not None
    assert run("evaluate", snn, "--ann", snn, "--data", images, "--mean", "1,2").code == 2

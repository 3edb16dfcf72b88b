from __future__ import annotations

import json

import numpy as np
import onnxruntime as ort
import pytest
from tests import nets
from tests.converter.exporters.exporting import converted, samples

from onnx2snn.converter.exporters import default_path, export
from onnx2snn.runtime.runs.simulate import simulate


@pytest.mark.parametrize("preset", ["rate", "graded"])
@pytest.mark.parametrize("name", ["residual", "maxpool", "mlp"])
def test_the_step_model_streams_in_stock_onnxruntime(name: str, preset: str, tmp_path) -> None:
    text = nets.NETS[name]
    model = converted(text, preset)
    path = tmp_path / "net.step.onnx"
    report = export(model, to="step", output=path)
    assert report.findings == ()
    x = samples(text, 3, seed=5)
    folded = simulate(model, x).outputs
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    state = {row[0]: np.zeros((len(x), *row[2][1:]), np.float32) for row in report.layers}
    clock = next(i.name for i in session.get_inputs() if i.type == "tensor(int64)")
    for t in range(1, model.manifest.timesteps + 1):
        feeds = {model.inputs[0]: x, clock: np.array(t), **state}
        values = dict(zip(names, session.run(names, feeds), strict=True))
        state = {name: values[f"{name}/next"] for name in state}
    for output, value in folded.items():
        np.testing.assert_allclose(values[output], value, rtol=1e-5, atol=1e-5)


def test_the_step_model_says_how_to_use_it(tmp_path) -> None:
    import onnx

    path = tmp_path / "net.step.onnx"
    export(converted(nets.MLP), to="step", output=path)
    text = onnx.load(path).doc_string
    assert "'t'" in text
    assert "/next" in text


@pytest.mark.parametrize("preset", ["rate", "graded"])
def test_npz_holds_every_number_without_pickle(preset: str, tmp_path) -> None:
    model = converted(nets.RESIDUAL, preset)
    path = tmp_path / "net.npz"
    export(model, to="npz", output=path)
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    index = json.loads(str(arrays.pop("index")))
    assert index["unit_spikes"]
    named = {key for layer in index["layers"] for key in layer["arrays"].values()}
    assert named == set(arrays)
    thresholds = {layer.name: layer.quantum for layer in model.neurons}
    weights = {}
    for layer in index["layers"]:
        if "threshold" in layer["arrays"]:
            np.testing.assert_array_equal(
                arrays[layer["arrays"]["threshold"]], thresholds[layer["name"]]
            )
        if layer["op"] == "Conv":
            weights[layer["name"]] = arrays[layer["arrays"]["weight"]]
    original = {
        node.name: model.initializers[node.input[1]]
        for node in model.plain.graph.node
        if node.op_type == "Conv"
    }
    into, out = (thresholds[name].reshape(-1) for name in ("relu0", "relu1"))
    scaled = weights["conv1"] * out[:, None, None, None] / into[None, :, None, None]
    np.testing.assert_allclose(scaled, original["conv1"], rtol=1e-5)


def test_npz_of_a_soma_keeps_the_weights_and_says_so(tmp_path) -> None:
    path = tmp_path / "net.npz"
    report = export(converted(nets.COMPOSITES, "graded"), to="npz", output=path)
    assert [finding.code for finding in report.findings] == ["no-unit-spikes"]
    assert not json.loads(str(np.load(path)["index"]))["unit_spikes"]


def test_default_paths() -> None:
    assert str(default_path("a/net.snn.onnx", "nir")) == "a/net.nir"
    assert str(default_path("net.snn.onnx", "step")) == "net.step.onnx"

from __future__ import annotations

import io

import nir
import numpy as np
import pytest
from tests import nets
from tests.converter.exporters.exporting import converted, samples
from tests.converter.exporters.nir_runner import run

from onnx2snn.converter.exporters import PROFILES, ExportReport, export
from onnx2snn.converter.exporters.nir_graph import compare
from onnx2snn.ir.errors import ExportError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.runs.simulate import simulate

UNEVEN_PADS = """
uneven (float[N,2,7,9] x) => (float[N,3] y)
    <float[4,2,2,3] w, float[4] b, float[24,3] v>
{
    [conv] h = Conv <strides = [2, 2], pads = [0, 1, 1, 2]> (x, w, b)
    [relu] r = Relu (h)
    [pool] p = AveragePool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (r)
    [flat] f = Flatten (p)
    [fc] y = Gemm (f, v)
}
"""

SEQUENCE = """
sequence (float[N,3,12] x) => (float[N,2] y)
    <float[4,3,3] w, float[4] b, float[24,2] v>
{
    [conv] h = Conv <pads = [1, 1]> (x, w, b)
    [relu] r = Relu (h)
    [pool] p = AveragePool <kernel_shape = [2], strides = [2]> (r)
    [flat] f = Flatten (p)
    [fc] y = Gemm (f, v)
}
"""

ON_CONCAT = """
on_concat (float[N,2,6,6] x) => (float[N,4] y)
    <float[2,2,1,1] w1, float[2] b1, float[3,2,3,3] w2, float[3] b2,
     float[4,5,3,3] w3, float[4] b3, float[4,4] v>
{
    [conv1] h1 = Conv (x, w1, b1)
    [relu1] r1 = Relu (h1)
    [conv2] h2 = Conv <pads = [1, 1, 1, 1]> (r1, w2, b2)
    [relu2] r2 = Relu (h2)
    [concat] j = Concat <axis = 1> (r1, r2)
    [conv3] h3 = Conv <pads = [1, 1, 1, 1]> (j, w3, b3)
    [relu3] r3 = Relu (h3)
    [pool] p = GlobalAveragePool (r3)
    [flat] f = Flatten (p)
    [fc] y = Gemm (f, v)
}
"""

BEFORE_PADDING = """
before_padding (float[N,2,6,6] x) => (float[N,3,6,6] y)
    <float[2] scale, float[2] bias, float[2] mean, float[2] var, float[3,2,3,3] w>
{
    [bn] n = BatchNormalization (x, scale, bias, mean, var)
    [conv] h = Conv <pads = [1, 1, 1, 1]> (n, w)
    [relu] y = Relu (h)
}
"""

EXACT = {
    "mlp": nets.MLP,
    "matmul": nets.MLP_MATMUL,
    "conv": nets.CONV_BN_RELU,
    "residual": nets.RESIDUAL,
    "depthwise": nets.DEPTHWISE_RELU6,
    "shortcut": nets.TORCHSCRIPT_SHORTCUT,
    "branches": nets.BRANCHES,
    "shared": nets.SHARED_WEIGHTS,
    "nhwc": nets.NHWC,
    "uneven pads": UNEVEN_PADS,
    "sequence": SEQUENCE,
    "concat": ON_CONCAT,
}


def exported(model: SpikingModel, folder, target: str | None = None) -> tuple[ExportReport, bytes]:
    path = folder / "net.nir"
    report = export(model, to="nir", target=target, allow_losses=True, output=path)
    return report, path.read_bytes()


CASES = [
    *((name, None) for name in EXACT),
    *((name, "snntorch") for name in ("residual", "uneven pads", "sequence")),
]


@pytest.mark.parametrize(("name", "target"), CASES)
def test_a_reader_with_soft_reset_sees_the_same_spikes(name: str, target, tmp_path) -> None:
    model = converted(EXACT[name], initial_potential=0.0)
    if name == "sequence" and target:
        with pytest.raises(ExportError, match="one-dimensional"):
            exported(model, tmp_path, target)
        return
    report, content = exported(model, tmp_path, target)
    x = samples(EXACT[name], 5, seed=3)
    fed = x.transpose(0, 3, 1, 2) if name == "nhwc" else x
    source = next(row[0] for row in report.layers if row[1] == "input")
    sums, trains = run(content, {source: fed}, model.manifest.timesteps)
    ours = simulate(model, x, record="spikes")
    layers = [record for key, record in ours.layers.items() if "encoder" not in key]
    neurons = [row[0] for row in report.layers if row[1] == "neuron"]
    assert len(layers) == len(neurons)
    total = sum(int(np.abs(record.spikes).sum()) for record in layers)
    flips = 0
    for record, neuron in zip(layers, neurons, strict=True):
        train = trains[neuron].reshape(record.spikes.shape)
        flips += int(np.abs(record.spikes - train).sum())
    assert total > 0
    assert flips <= 2e-3 * total, f"{flips} of {total} spikes differ"
    if flips == 0:
        (value,) = ours.outputs.values()
        (summed,) = sums.values()
        np.testing.assert_allclose(summed.reshape(value.shape), value, atol=2e-4)


def test_thresholds_are_one_and_shapes_are_filled(tmp_path) -> None:
    _, content = exported(converted(nets.RESIDUAL), tmp_path)
    graph = nir.read(io.BytesIO(content))
    for node in graph.nodes.values():
        assert node.input_type["input"] is not None
        if isinstance(node, nir.IF):
            assert node.v_threshold.shape == tuple(node.input_type["input"])
            assert (node.v_threshold == 1).all()
            assert (node.r == 1).all()
        if isinstance(node, nir.Conv2d | nir.Affine):
            assert node.bias is not None
    assert len([a for a, b in graph.edges if b == "relu2"]) == 2
    assert graph.metadata["reset"] in ("subtract", b"subtract")


def test_the_same_model_gives_the_same_graph(tmp_path) -> None:
    model = converted(nets.RESIDUAL)
    graphs = [nir.read(io.BytesIO(exported(model, tmp_path)[1])) for _ in range(2)]
    assert compare(*graphs) == []
    graphs[1].nodes["conv1"].weight[0, 0, 0, 0] += 1
    assert compare(*graphs) == ["conv1.weight differs"]


def test_losses_are_listed_and_refused() -> None:
    model = converted(nets.MAXPOOL, "ternary", stimulus=8)
    with pytest.raises(ExportError) as refusal:
        export(model, to="nir")
    codes = {finding.code for finding in refusal.value.findings}
    assert codes == {"soft-reset", "signed-spikes", "initial-potential", "max-pool", "stimulus"}
    assert {finding.severity for finding in refusal.value.findings} == {"warning"}
    report = export(model, to="nir", allow_losses=True)
    assert codes <= {finding.code for finding in report.findings}
    assert report.path is None


def test_a_lossless_export_needs_no_leave() -> None:
    model = converted(nets.MLP, initial_potential=0.0)
    with pytest.raises(ExportError) as refusal:
        export(model, to="nir")
    assert [finding.code for finding in refusal.value.findings] == ["soft-reset"]


def test_resets_and_schedules_are_losses_where_the_target_has_others() -> None:
    hard = converted(nets.MLP, initial_potential=0.0, reset="hard")
    export(hard, to="nir")  # an IF of NIR resets to zero: nothing is lost
    with pytest.raises(ExportError) as refusal:
        export(hard, to="nir", target="sinabs")
    assert "hard-reset" in {finding.code for finding in refusal.value.findings}
    held = converted(nets.MLP, hold=3)
    with pytest.raises(ExportError) as refusal:
        export(held, to="nir")
    assert "schedule" in {finding.code for finding in refusal.value.findings}


def test_a_current_that_depends_on_the_position_is_a_loss() -> None:
    model = converted(BEFORE_PADDING)
    report = export(model, to="nir", allow_losses=True)
    assert "position-dependent-current" in {finding.code for finding in report.findings}


def test_graded_spikes_are_refused_with_a_remedy() -> None:
    with pytest.raises(ExportError, match="--preset rate") as refusal:
        export(converted(nets.MLP, "graded"), to="nir", allow_losses=True)
    assert [finding.node for finding in refusal.value.findings] == ["relu1"]


@pytest.mark.parametrize("name", ["upsample"])
def test_what_has_no_counterpart_is_refused_by_name(name: str) -> None:
    with pytest.raises(ExportError) as refusal:
        export(converted(nets.NETS[name]), to="nir", allow_losses=True)
    found = [f for f in refusal.value.findings if f.severity == "error"]
    assert [(finding.code, finding.op) for finding in found] == [("inexpressible", "ConvTranspose")]


def test_targets_read_what_their_profile_says(tmp_path) -> None:
    model = converted(UNEVEN_PADS.replace(", ceil_mode = 1", "").replace("[24,3]", "[16,3]"))
    kinds = {}
    for profile in PROFILES:
        if profile.bias:
            report, _ = exported(model, tmp_path, profile.name)
            kinds[profile.name] = {row[1] for row in report.layers}
            codes = {finding.code for finding in report.findings}
            assert {code for code, _ in profile.differences} <= codes
            assert ("soft-reset" in codes) == (profile.reset == "zero")
    assert "mean-pool" in kinds["snntorch"]
    assert "sum-pool" in kinds["sinabs"]


def test_lava_reads_no_bias() -> None:
    with pytest.raises(ExportError) as refusal:
        export(converted(nets.CONV_BN_RELU), to="nir", target="lava", allow_losses=True)
    assert "no-bias" in {finding.code for finding in refusal.value.findings}


def test_joins_are_a_loss_where_the_importer_runs_them_wrongly() -> None:
    for target, lossy in (("sinabs", True), ("norse", True), ("snntorch", False)):
        report = export(converted(nets.RESIDUAL), to="nir", target=target, allow_losses=True)
        assert ("joins" in {finding.code for finding in report.findings}) == lossy


def test_unknown_format_and_target() -> None:
    model = converted(nets.MLP)
    with pytest.raises(ExportError, match="step"):
        export(model, to="abacus")
    with pytest.raises(ExportError, match="spinnaker2"):
        export(model, to="nir", target="abacus")
    with pytest.raises(ExportError, match="no targets"):
        export(model, to="step", target="sinabs")

"""The canonical form as a whole: what is left of a net, what is proved, what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from tests.nets import FLOAT_NETS, build

from onnx2snn.converter.canonicalise import PASSES, canonicalise
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import Source, read_model
from onnx2snn.ir.errors import InvalidModelError, InvariantError
from onnx2snn.ir.findings import Change

LEFT = {
    "mlp": "Gemm Relu Gemm",
    "mlp_matmul": "Gemm Relu Gemm",
    "conv_bn_relu": "Conv Relu GlobalAveragePool Flatten Gemm",
    "bn_conv": "Mul Add Conv Relu",
    "residual": "Conv Relu Conv Relu Conv Add Relu GlobalAveragePool Flatten Gemm",
    "maxpool": "Conv Relu MaxPool Reshape MatMul",
    "depthwise_relu6": "Conv Clip Conv Clip",
    "shared_weights": "Conv Relu Conv Relu",
    "nhwc": "Transpose Conv Relu Conv Add Relu GlobalAveragePool Flatten Gemm",
    "leaky": "Conv LeakyRelu AveragePool",
    "branches": "Conv Relu Conv Relu Concat GlobalAveragePool Flatten Gemm",
    "upsample": "ConvTranspose Relu Conv",
    "torchscript_shortcut": "Conv Slice Pad Add Relu GlobalAveragePool Reshape",
    "fixed_batch": "Conv Relu Reshape Gemm",
    "composites": "Gemm LayerNormalization Gemm Gelu HardSwish Gemm",
}


def source_of(net: str) -> Source:
    return read_model(build(FLOAT_NETS[net]))


@pytest.mark.parametrize("net", FLOAT_NETS)
def test_what_is_left_of_a_net(net: str) -> None:
    canonical = canonicalise(source_of(net))
    assert " ".join(node.op_type for node in canonical.model.graph.node) == LEFT[net]
    assert canonical.batch_free
    assert canonical.findings == ()
    onnx.checker.check_model(canonical.model, full_check=True)
    assert canonical.model.ir_version == 10


@pytest.mark.parametrize("net", FLOAT_NETS)
def test_canonical_of_canonical_is_itself(net: str) -> None:
    once = canonicalise(source_of(net))
    twice = canonicalise(read_model(once.model))
    assert twice.changes == ()
    assert [n.name for n in twice.model.graph.node] == [n.name for n in once.model.graph.node]


@pytest.mark.parametrize("net", FLOAT_NETS)
def test_every_tensor_has_a_known_shape(net: str) -> None:
    graph = canonicalise(source_of(net)).model.graph
    known = {item.name for item in (*graph.value_info, *graph.output)}
    for item in (*graph.value_info, *graph.output):
        for dim in item.type.tensor_type.shape.dim:
            assert dim.dim_value or dim.dim_param == "N", item.name
    assert {name for node in graph.node for name in node.output} <= known


def test_a_wrong_pass_is_named() -> None:
    def double_the_weights(graph: gs.Graph) -> list[Change]:
        weight = graph.nodes[0].inputs[1]
        weight.values = weight.values * 2
        return [Change(node="fc1", op="Gemm", became="wrong")]

    with pytest.raises(InvariantError, match="double_the_weights"):
        canonicalise(source_of("mlp"), passes=(*PASSES, double_the_weights))


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    def cut(graph: gs.Graph) -> list[Change]:
        graph.nodes[0].inputs[0] = gs.Variable("nowhere", np.float32)
        return [Change(node="fc1", op="Gemm", became="wrong")]

    with pytest.raises(InvariantError, match="cut"):
        canonicalise(source_of("mlp"), passes=(cut,))


def test_a_small_error_in_one_of_many_outputs_is_seen() -> None:
    def nudge(graph: gs.Graph) -> list[Change]:
        bias = graph.nodes[-1].inputs[2]
        bias.values = bias.values + np.array([0, 0, 1e-2], np.float32)
        return [Change(node="fc2", op="Gemm", became="wrong")]

    with pytest.raises(InvariantError, match="nudge"):
        canonicalise(source_of("mlp"), passes=(nudge,))


OPEN = """
net (float[N,3,H,W] x) => (float[N,4,P,Q] y) <float[4,3,3,3] w>
{ [conv] y = Conv (x, w) }
"""


def test_open_lengths_must_be_given() -> None:
    with pytest.raises(InvalidModelError, match="input_shapes") as caught:
        canonicalise(read_model(build(OPEN)))
    assert len(caught.value.findings) == 2
    canonical = canonicalise(read_model(build(OPEN)), input_shapes={"x": (1, 3, 8, 9)})
    dims = canonical.model.graph.output[0].type.tensor_type.shape.dim
    assert [dim.dim_value or dim.dim_param for dim in dims] == ["N", 4, 6, 7]


@pytest.mark.parametrize("shapes", [{"z": (1, 3, 8, 8)}, {"x": (1, 4, 8, 8)}, {"x": (1, 3, 8)}])
def test_given_shapes_must_fit(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(InvalidModelError):
        canonicalise(read_model(build(OPEN)), input_shapes=shapes)


def test_samples_that_mix_are_a_finding() -> None:
    text = """
    net (float[N,4] x) => (float[N,4] y) <int64[1] axes = {0}>
    {
        [mean] m = ReduceMean (x, axes)
        [centre] y = Sub (x, m)
    }
    """
    canonical = canonicalise(read_model(build(text)))
    assert not canonical.batch_free
    assert [finding.code for finding in canonical.findings] == ["not-batch-free"]


def test_what_onnxruntime_cannot_run_is_the_callers_error() -> None:
    text = "net (float[N,4] x) => (float[N,3] y) <float[5,3] w> { [fc] y = MatMul (x, w) }"
    with pytest.raises(InvalidModelError):
        canonicalise(read_model(build(text)))


def test_labels_and_probabilities_keep_their_names_and_types() -> None:
    text = """
    net (float[N,4] x) => (int64[N] label, float[N,3] scores) <float[4,3] w, float[3] b>
    {
        [fc] h = MatMul (x, w)
        [bias] a = Add (h, b)
        [softmax] scores = Softmax (a)
        [label] label = ArgMax <axis = 1, keepdims = 0> (scores)
    }
    """
    canonical = canonicalise(read_model(build(text)))
    outputs = canonical.model.graph.output
    assert [(o.name, o.type.tensor_type.elem_type) for o in outputs] == [
        ("label", 7),
        ("scores", 1),
    ]
    assert [node.op_type for node in canonical.model.graph.node] == ["Gemm", "Softmax", "ArgMax"]


def test_the_result_agrees_on_data_it_was_not_proved_on() -> None:
    model = build(FLOAT_NETS["residual"])
    canonical = canonicalise(read_model(model))
    feeds = {"x": np.random.default_rng(99).normal(size=(5, 3, 8, 8)).astype(np.float32)}
    expected, found = Execution(model).run(feeds)["y"], Execution(canonical.model).run(feeds)["y"]
    # Folded batch normalisation rounds float32 elsewhere.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

"""Reading: what is accepted, what is refused and why, and what hostile files cannot do."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from tests.nets import CONV_BN_RELU, MLP, NETS, build

from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import Limits, read_model
from onnx2snn.ir.errors import (
    InvalidModelError,
    ModelError,
    ModelTooLargeError,
    UnsupportedOpError,
    UnsupportedOpsetError,
)


def codes(error: ModelError) -> set[str]:
    return {finding.code for finding in error.findings}


@pytest.mark.parametrize("net", NETS)
def test_reads_every_net_unchanged(net: str) -> None:
    model = build(NETS[net])
    source = read_model(model)
    assert source.opset == 21
    before, after = Execution(model), Execution(source.model)
    feeds = before.feeds(1, 0)
    for name, value in before.run(feeds).items():
        np.testing.assert_array_equal(after.run(feeds)[name], value)  # nothing is computed anew


def test_path_bytes_and_model_are_the_same_source(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(build(MLP).SerializeToString(deterministic=True))
    sources = [read_model(path), read_model(str(path)), read_model(path.read_bytes())]
    sources.append(read_model(build(MLP)))
    assert len({source.sha256 for source in sources}) == 1
    assert [source.name for source in sources] == ["small", "small", "mlp", "mlp"]


def test_the_model_handed_in_is_left_alone() -> None:
    model = build(MLP)
    before = model.SerializeToString(deterministic=True)
    read_model(model).model.graph.node[0].name = "other"
    assert model.SerializeToString(deterministic=True) == before


def test_nameless_and_namesake_nodes_get_names_of_their_own() -> None:
    model = build(MLP)
    model.graph.node[0].name = ""
    model.graph.node[2].name = "relu1"
    names = [node.name for node in read_model(model).model.graph.node]
    assert names == ["Gemm_0", "relu1", "relu1_2_2"]


@pytest.mark.parametrize("opset", range(7, 21))
def test_older_opsets_are_brought_up(opset: int) -> None:
    model = build(CONV_BN_RELU)
    model.opset_import[0].version = opset
    model.ir_version = 3 if opset < 9 else 8
    for tensor in model.graph.initializer:
        kind = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.input.append(kind)
    source = read_model(model)
    assert source.opset == opset
    assert [(item.domain, item.version) for item in source.model.opset_import] == [("", 21)]
    assert source.model.ir_version == 10
    assert [item.name for item in source.model.graph.input] == ["x"]
    assert [finding.code for finding in source.findings] == ["default-inputs"]
    assert {"conv", "bn", "relu"} <= {node.name for node in source.model.graph.node}
    expected, found = Execution(build(CONV_BN_RELU)), Execution(source.model)
    feeds = expected.feeds(2, 0)
    for name, value in expected.run(feeds).items():
        np.testing.assert_array_equal(found.run(feeds)[name], value)  # the same operators


@pytest.mark.parametrize("opset", range(22, onnx.defs.onnx_opset_version() + 1))
def test_newer_opsets_are_written_down_as_21(opset: int) -> None:
    model = build(CONV_BN_RELU)
    model.opset_import[0].version = opset
    model.ir_version = onnx.IR_VERSION
    source = read_model(model)
    assert (source.opset, source.model.opset_import[0].version) == (opset, 21)
    assert source.model.ir_version == 10


def test_attributes_of_newer_opsets_that_change_nothing_are_dropped() -> None:
    model = build("n (float[N,4] x) => (int64[N,4] y) { [c] y = Cast <to = 7> (x) }")
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("round_mode", "up"))
    model.opset_import[0].version = 25
    assert len(read_model(model).model.graph.node[0].attribute) == 1


def test_operators_newer_than_21_are_refused_by_name() -> None:
    model = build(
        "n (float[N,4] x) => (float[N,4] y) <int64 axis = {1}> { [n1] y = CumProd (x, axis) }"
    )
    model.opset_import[0].version = 26
    model.ir_version = onnx.IR_VERSION
    with pytest.raises(UnsupportedOpError, match="CumProd") as caught:
        read_model(model)
    assert [(f.node, f.op, f.opset) for f in caught.value.findings] == [("n1", "CumProd", 26)]


@pytest.mark.parametrize("opset", [1, 6, 99])
def test_opsets_out_of_range_are_refused(opset: int) -> None:
    model = build(MLP)
    model.opset_import[0].version = opset
    with pytest.raises((UnsupportedOpsetError, InvalidModelError), match=str(opset)):
        read_model(model)


FUNCTIONS = """
<ir_version: 10, opset_import: ["" : 21, "local" : 1]>
net (float[N,4] x) => (float[N,4] y) { [call] y = local.twice (x) }
<domain: "local", opset_import: ["" : 21, "local" : 1]>
twice (a) => (c) { b = local.once (a)  c = local.once (b) }
<domain: "local", opset_import: ["" : 21]>
once (a) => (b) { b = Relu (a) }
"""


def test_functions_are_inlined() -> None:
    model = onnx.parser.parse_model(FUNCTIONS)
    source = read_model(model)
    assert [node.op_type for node in source.model.graph.node] == ["Relu", "Relu"]
    assert len({node.name for node in source.model.graph.node}) == 2
    assert not source.model.functions
    assert [item.domain for item in source.model.opset_import] == [""]


# Hostile files


def _doubling_functions(levels: int) -> onnx.ModelProto:
    model = onnx.parser.parse_model(FUNCTIONS)
    del model.functions[:]
    for level in range(levels):
        callee = f"f{level - 1}" if level else "Relu"
        domain = "local" if level else ""
        body = [
            onnx.helper.make_node(callee, ["a"], ["b"], domain=domain),
            onnx.helper.make_node(callee, ["b"], ["c"], domain=domain),
        ]
        opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("local", 1)]
        model.functions.append(
            onnx.helper.make_function("local", f"f{level}", ["a"], ["c"], body, opsets)
        )
    model.graph.node[0].op_type = f"f{levels - 1}"
    return model


def test_functions_that_double_thirty_times_are_counted_not_expanded() -> None:
    limits = Limits(max_nesting=50)
    with pytest.raises(ModelTooLargeError, match=str(2**30)):
        read_model(_doubling_functions(30), limits=limits)


def test_a_chain_of_functions_is_too_deep() -> None:
    with pytest.raises(ModelTooLargeError, match="functions inside functions"):
        read_model(_doubling_functions(17))


def test_a_function_that_calls_itself_is_refused() -> None:
    model = onnx.parser.parse_model(FUNCTIONS)
    model.functions[1].node[0].op_type = "twice"
    model.functions[1].node[0].domain = "local"
    with pytest.raises(InvalidModelError) as caught:
        read_model(model)
    assert codes(caught.value) == {"recursive-function"}


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(max_bytes=100), "bytes"),
        (Limits(max_nodes=2), "nodes"),
        (Limits(max_initializer_elements=82), "elements"),
    ],
)
def test_limits(limits: Limits, what: str) -> None:
    with pytest.raises(ModelTooLargeError, match=what):
        read_model(build(MLP), limits=limits)


def test_constants_that_claim_more_than_they_hold() -> None:
    model = build(MLP)
    model.graph.initializer[0].dims[0] = 2**20
    with pytest.raises(InvalidModelError) as caught:
        read_model(model)
    assert codes(caught.value) == {"bad-constant"}
    model.graph.initializer[0].dims[0] = 2**50
    with pytest.raises(ModelTooLargeError):
        read_model(model)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x08", b"not a model", bytes(range(256))])
def test_what_is_no_model(data: bytes) -> None:
    with pytest.raises(ModelError):
        read_model(data)


def test_every_truncation_is_refused() -> None:
    data = build(MLP).SerializeToString()
    for length in range(0, len(data) - 60, 37):
        with pytest.raises(ModelError):
            read_model(data[:length])


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match="no file"):
        read_model(tmp_path / "nowhere.onnx")


def test_foreign_operators_are_all_named() -> None:
    model = build(MLP)
    model.graph.node[0].domain = "com.acme"
    model.graph.node[2].domain = "org.other"
    model.opset_import.append(onnx.helper.make_opsetid("com.acme", 1))
    model.opset_import.append(onnx.helper.make_opsetid("org.other", 1))
    with pytest.raises(UnsupportedOpError) as caught:
        read_model(model)
    assert [(f.node, f.op) for f in caught.value.findings] == [
        ("fc1", "com.acme::Gemm"),
        ("fc2", "org.other::Gemm"),
    ]


def test_random_operators_are_refused() -> None:
    model = build("n (float[N,4] x) => (float[N,4] y) { r = RandomNormalLike (x) y = Add (x, r) }")
    with pytest.raises(UnsupportedOpError, match="run to run") as caught:
        read_model(model)
    assert [finding.node for finding in caught.value.findings] == ["RandomNormalLike_0"]


def test_all_problems_come_in_one_error() -> None:
    model = build(MLP)
    model.graph.node[0].domain = "com.acme"
    model.graph.node[1].output[0] = "h"
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 0
    with pytest.raises(InvalidModelError, match="3 problems") as caught:
        read_model(model)
    assert codes(caught.value) == {"foreign-domain", "duplicate-name", "zero-size"}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_weights(value: float) -> None:
    model = build(MLP)
    weight = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight[1, 2] = value
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, "w1"))
    with pytest.raises(InvalidModelError, match="'w1'") as caught:
        read_model(model)
    assert codes(caught.value) == {"not-finite"}


def test_an_infinite_bound_is_no_broken_weight() -> None:
    model = build(
        "n (float[N,4] x) => (float[N,4] y) <float low = {0}, float high>"
        " { [clip] y = Clip (x, low, high) }"
    )
    bound = onnx.numpy_helper.from_array(np.float32(np.inf).reshape(()), "high")
    model.graph.initializer[-1].CopyFrom(bound)
    assert read_model(model).opset == 21


def test_an_empty_graph() -> None:
    model = build(MLP)
    del model.graph.node[:]
    with pytest.raises(InvalidModelError) as caught:
        read_model(model)
    assert codes(caught.value) == {"empty-graph"}


# External data


def _external(tmp_path: Path, location: str = "weights.bin", **entries: str) -> Path:
    """A model whose first weight is said to lie in another file, which is written too."""
    model = build(MLP)
    tensor = model.graph.initializer[0]
    data = onnx.numpy_helper.to_array(tensor).tobytes()
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "weights.bin").write_bytes(data)
    (tmp_path / "secret.bin").write_bytes(data)
    path = directory / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_beside_the_model_is_read(tmp_path: Path) -> None:
    source = read_model(_external(tmp_path))
    tensor = source.model.graph.initializer[0]
    np.testing.assert_array_equal(
        onnx.numpy_helper.to_array(tensor),
        onnx.numpy_helper.to_array(build(MLP).graph.initializer[0]),
    )
    assert source.sha256 != read_model(build(MLP)).sha256


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("../secret.bin", "outside"),
        ("a/../../secret.bin", "outside"),
        ("/etc/hostname", "outside"),
        ("", "outside"),
        ("..\\secret.bin", "outside"),
        ("gone.bin", "does not exist"),
        (".", "."),
        ("*/_ORT_MEM_ADDR_/*", "does not exist"),
    ],
)
def test_external_data_elsewhere_is_not_read(tmp_path: Path, location: str, reason: str) -> None:
    with pytest.raises(InvalidModelError, match=reason) as caught:
        read_model(_external(tmp_path, location))
    assert codes(caught.value) == {"external-data"}
    assert "'w1'" in str(caught.value)


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "linked_directory", "fifo"])
def test_links_and_pipes_are_not_followed(tmp_path: Path, kind: str) -> None:
    location = "sub/secret.bin" if kind == "linked_directory" else "link.bin"
    path = _external(tmp_path, location)
    link = path.parent / "link.bin"
    if kind == "symlink":
        link.symlink_to(tmp_path / "secret.bin")
    elif kind == "hardlink":
        os.link(tmp_path / "secret.bin", link)
    elif kind == "fifo":
        os.mkfifo(link)
    else:
        (path.parent / "sub").symlink_to(tmp_path)
    with pytest.raises(InvalidModelError) as caught:
        read_model(path)
    assert codes(caught.value) == {"external-data"}


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "4"},
        {"length": "1000"},
        {"offset": "-1"},
        {"length": "x"},
        {"__class__": "x"},
        {"offset": "9" * 30},
    ],
)
def test_external_data_that_contradicts_its_file(tmp_path: Path, entries: dict[str, str]) -> None:
    with pytest.raises(InvalidModelError):
        read_model(_external(tmp_path, **entries))


def test_external_data_of_bytes_is_refused(tmp_path: Path) -> None:
    data = _external(tmp_path).read_bytes()
    with pytest.raises(InvalidModelError, match="another file") as caught:
        read_model(data)
    assert codes(caught.value) == {"external-data"}


def test_external_data_counts_towards_the_size(tmp_path: Path) -> None:
    path = _external(tmp_path)
    with pytest.raises(ModelError, match="size limit"):
        read_model(path, limits=Limits(max_bytes=path.stat().st_size + 10))


def test_outputs_that_are_no_tensors_are_refused() -> None:
    text = """<ir_version: 10, opset_import: ["": 21]>
    net (float[N,4] x) => (seq(float[N,4]) y) { r = Relu (x)  y = SequenceConstruct (r, x) }"""
    with pytest.raises(InvalidModelError, match="'y' is a sequence, not a tensor"):
        read_model(onnx.parser.parse_model(text))


@pytest.mark.parametrize("place", [b"relu1", b"fc1", b"mlp", b"w1"])
def test_text_that_is_no_utf8_is_refused(place: bytes) -> None:
    data = build(MLP).SerializeToString()
    assert place in data
    with pytest.raises(InvalidModelError, match="no UTF-8"):
        read_model(data.replace(place, b"\xf0" * len(place)))

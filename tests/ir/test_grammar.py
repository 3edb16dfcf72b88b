"""The grammar: every forbidden thing is refused, by name, and all problems at once."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from spiking_nets import conv_net

from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.errors import InvalidModelError, InvariantError
from onnx2snn.ir.grammar import check_grammar, tensor_kinds
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, FirstSpike, LeakyIntegrateFire, PoissonSpikes, SpikingOp

Model = onnx.ModelProto


@pytest.fixture
def model() -> Model:
    proto = Model()
    proto.CopyFrom(conv_net().proto)
    return proto


def node(model: Model, name: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.name == name)


def constant(model: Model, name: str, value: object) -> None:
    kept = [tensor for tensor in model.graph.initializer if tensor.name != name]
    del model.graph.initializer[:]
    model.graph.initializer.extend(
        [*kept, numpy_helper.from_array(np.asarray(value, np.float32), name)]
    )


def insert(model: Model, after: str, new: onnx.NodeProto) -> None:
    """Put ``new`` behind a node; it takes over the node's output."""
    nodes = list(model.graph.node)
    place = next(i for i, node in enumerate(nodes) if node.name == after)
    output = nodes[place].output[0]
    nodes[place].output[0] = output + "/before"
    new.input[0] = output + "/before"
    new.output[0] = output
    nodes.insert(place + 1, new)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def made(op_type: str, *others: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op_type, ["x", *others], ["y"], name="culprit", **attributes)


def wrong_ir(model: Model) -> None:
    model.ir_version = 14


def wrong_domain_version(model: Model) -> None:
    for entry in model.opset_import:
        if entry.domain == DOMAIN:
            entry.version = 2


def missing_body(model: Model) -> None:
    del model.functions[0]


def nonlinear_on_stream(model: Model) -> None:
    insert(model, "conv1", made("Relu"))


def foreign_on_stream(model: Model) -> None:
    insert(model, "conv1", made("Scale", domain="com.example"))
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def biased_conv(model: Model) -> None:
    constant(model, "bias", np.ones(4))
    node(model, "conv1").input.append("bias")


def constant_added_to_stream(model: Model) -> None:
    constant(model, "shift", 1.0)
    insert(model, "conv1", made("Add", "shift"))


def product_of_streams(model: Model) -> None:
    node(model, "add").op_type = "Mul"


def division_by_a_stream(model: Model) -> None:
    node(model, "add").op_type = "Div"


def neuron_on_raw_input(model: Model) -> None:
    node(model, "encoder").input[0] = "image"


def encoded_stream(model: Model) -> None:
    node(model, "input").input[0] = "spikes0"
    nodes = list(model.graph.node)
    order = [nodes[1], nodes[0], *nodes[2:]]
    order[0].input[0] = "image"
    del model.graph.node[:]
    model.graph.node.extend(order)


def stream_as_output(model: Model) -> None:
    model.graph.output.append(helper.make_tensor_value_info("z2", 1, [None, 4, 3, 3]))


def value_on_stream(model: Model) -> None:
    head = helper.make_node("Add", ["logits", "f"], ["mixed"], name="culprit")
    model.graph.node.append(head)


def zero_quantum(model: Model) -> None:
    constant(model, "a_q", np.zeros((1, 4, 1, 1)))


def infinite_quantum(model: Model) -> None:
    constant(model, "a_q", np.full((1, 4, 1, 1), np.inf))


def undefined_current(model: Model) -> None:
    constant(model, "a_c", np.full((1, 4, 1, 1), np.nan))


def bounds_without_zero(model: Model) -> None:
    constant(model, "a_min", 1.0)


def computed_quantum(model: Model) -> None:
    node(model, "relu1").input[1] = "shown"


def missing_input(model: Model) -> None:
    del node(model, "relu1").input[-1]


def emptied_body(model: Model) -> None:
    body = next(f for f in model.functions if f.name == "GradedIntegrateFire")
    del body.node[:]
    body.node.append(helper.make_node("Identity", [body.input[0]], [body.output[0]]))


def changed_number(model: Model) -> None:
    """A body that differs in one constant: spikes of half the size."""
    body = next(f for f in model.functions if f.name == "GradedIntegrateFire")
    numbers = [a for n in body.node for a in n.attribute if a.type == a.FLOAT]
    numbers[0].f *= 0.5


def other_signature(model: Model) -> None:
    body = next(f for f in model.functions if f.name == "ReadOut")
    body.input.append("more")


def no_timesteps(model: Model) -> None:
    set_timesteps(model, np.array(0, np.int64))


def negative_timesteps(model: Model) -> None:
    set_timesteps(model, np.array(-3, np.int64))


def several_timesteps(model: Model) -> None:
    set_timesteps(model, np.array([4, 8], np.int64))


def float_timesteps(model: Model) -> None:
    set_timesteps(model, np.array(4, np.float32))


def set_timesteps(model: Model, value: np.ndarray) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == "timesteps":
            tensor.CopyFrom(numpy_helper.from_array(value, "timesteps"))


def become(model: Model, op: SpikingOp, parameter: str, value: float) -> None:
    """Put another operator with one parameter beside quantum and current in the place of relu1."""
    changed = node(model, "relu1")
    clock = list(changed.input)[-2:]
    changed.op_type = op.name
    constant(model, parameter, value)
    del changed.input[1:]
    changed.input.extend(["a_q", "a_c", parameter, *clock])
    model.functions.append(op.sequence_body())


def growing_leak(model: Model) -> None:
    become(model, LeakyIntegrateFire(), "leak", 1.5)


def no_slots(model: Model) -> None:
    become(model, FirstSpike(), "window", 0)


def computed_seed(model: Model) -> None:
    become(model, PoissonSpikes(), "seed", 1)
    node(model, "relu1").input[3] = "shown"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (emptied_body, "not that of the operator"),
        (changed_number, "not that of the operator"),
        (other_signature, "not that of the operator"),
        (no_timesteps, "number of timesteps is 0, below 1"),
        (negative_timesteps, "number of timesteps is -3, below 1"),
        (several_timesteps, "no default number of timesteps"),
        (float_timesteps, "no default number of timesteps"),
        (wrong_ir, "IR 14"),
        (wrong_domain_version, "version 2"),
        (missing_body, "no function body"),
        (nonlinear_on_stream, "Relu is not a linear operator"),
        (foreign_on_stream, "operator of domain com.example"),
        (biased_conv, "has a bias"),
        (constant_added_to_stream, "adds a constant to a stream"),
        (product_of_streams, "multiplies two activations"),
        (division_by_a_stream, "not linear in input 1"),
        (neuron_on_raw_input, "needs a stream tensor, got a raw tensor"),
        (encoded_stream, "encodes what already is a stream"),
        (stream_as_output, "needs a ReadOut"),
        (value_on_stream, "mixes a stream or an estimate with a decoded value"),
        (zero_quantum, "quantum that is not finite and positive"),
        (infinite_quantum, "quantum that is not finite and positive"),
        (undefined_current, "constant current that is not finite"),
        (bounds_without_zero, "bounds that do not contain zero"),
        (computed_quantum, "parameters must be initializers: quantum"),
        (missing_input, "has 6 inputs, needs 7"),
        (growing_leak, "leak outside [0, 1]"),
        (no_slots, "window without slots"),
        (computed_seed, "parameters must be initializers: seed"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_refuses(model: Model, damage: Callable[[Model], None], message: str) -> None:
    check_grammar(model)
    damage(model)
    with pytest.raises(InvariantError) as caught:
        check_grammar(model)
    assert any(message in str(finding) for finding in caught.value.findings)
    with pytest.raises(InvariantError):
        SpikingModel.from_bytes(model.SerializeToString())


def test_refuses_unknown_operators(model: Model) -> None:
    node(model, "relu1").op_type = "TeleportFire"
    with pytest.raises(InvariantError, match="TeleportFire"):
        check_grammar(model)


def test_tells_all_problems_at_once(model: Model) -> None:
    biased_conv(model)
    zero_quantum(model)
    bounds_without_zero(model)
    with pytest.raises(InvariantError) as caught:
        check_grammar(model)
    assert len(caught.value.findings) == 3


def test_scan_layout_obeys_the_same_grammar() -> None:
    scanned = to_scan(conv_net()).proto
    damaged = Model()
    damaged.CopyFrom(scanned)
    constant(damaged, "a_q", np.zeros((1, 4, 1, 1)))
    with pytest.raises(InvariantError, match="quantum"):
        check_grammar(damaged)
    del damaged.functions[:]
    with pytest.raises(InvariantError, match="no function body"):
        check_grammar(damaged)


def test_kinds_of_tensors() -> None:
    kinds = tensor_kinds(conv_net().proto.graph)
    expected = {"image": "raw", "shown": "stream", "z2": "stream", "w1": "constant"}
    expected |= {"logits": "value", "label": "value", "timesteps": "constant"}
    assert {name: kinds[name] for name in expected} == expected


def test_scan_bodies_are_compared_too() -> None:
    damaged = Model()
    damaged.CopyFrom(to_scan(conv_net()).proto)
    for body in damaged.functions:
        del body.node[:]
    with pytest.raises(InvariantError) as caught:
        check_grammar(damaged)
    told = {finding.op for finding in caught.value.findings if finding.code == "changed-body"}
    assert told == {body.name for body in damaged.functions}
    assert {name.rsplit("_", 1)[-1] for name in told} == {"Step", "Settled"}


def with_manifest(**changed: object) -> bytes:
    model = Model()
    model.CopyFrom(conv_net().proto)
    (entry,) = model.metadata_props
    entry.value = json.dumps({**json.loads(entry.value), **changed})
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": 2}, "format 2; this version of onnx2snn reads 1"),
        ({"format": "1.0"}, "format '1.0'; this version"),
        ({"format": None}, "format None; this version"),
        ({"timesteps": 0}, "timesteps\n.*greater than or equal to 1"),
        ({"stimulus": 0}, "stimulus\n.*greater than or equal to 1"),
        ({"timesteps": 5}, "runs T = 16 timesteps by default, its manifest says 5"),
        ({"mood": "good"}, "mood"),
    ],
)
def test_refuses_foreign_manifests(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidModelError, match=message):
        SpikingModel.from_bytes(with_manifest(**changed))
    assert SpikingModel.from_bytes(with_manifest()).manifest.timesteps == 16


@pytest.mark.parametrize("content", [b"\xff\xff\xff\xff", b"", Model().SerializeToString()])
def test_other_files_are_no_spiking_models(content: bytes) -> None:
    with pytest.raises(InvalidModelError):
        SpikingModel.from_bytes(content)

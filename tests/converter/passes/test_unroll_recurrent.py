"""Recurrent layers against ONNX Runtime's own."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.nets import build

from onnx2snn.converter.canonicalise import canonicalise
from onnx2snn.converter.judging.agreement import agree
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.errors import ModelTooLargeError, UnsupportedOpError

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def net(op: str, attributes: str = "", *, steps: str = "4", directions: int = 1) -> str:
    """A batch-first sequence through one layer of width 3, as PyTorch exports it."""
    width = 3 * GATES[op]
    d = directions
    return f"""
    net (float[N,{steps},2] x) => (float[L,{d},N,3] y, float[{d},N,3] last)
        <float[{d},{width},2] w, float[{d},{width},3] r, float[{d},{2 * width}] b>
    {{
        [swap] t = Transpose <perm = [1, 0, 2]> (x)
        [cell] y, last = {op} <hidden_size = 3{attributes}> (t, w, r, b)
    }}
    """


CASES = {
    "rnn": ("RNN", "", 1),
    "rnn_relu": ("RNN", ', activations = ["Relu"]', 1),
    "gru": ("GRU", "", 1),
    "gru_reset_after": ("GRU", ", linear_before_reset = 1", 1),
    "gru_both": ("GRU", ', linear_before_reset = 1, direction = "bidirectional"', 2),
    "lstm": ("LSTM", "", 1),
    "lstm_reverse": ("LSTM", ', direction = "reverse"', 1),
    "lstm_both": ("LSTM", ', direction = "bidirectional"', 2),
}


@pytest.mark.parametrize("name", CASES)
def test_unrolled_computes_the_same(name: str) -> None:
    op, attributes, directions = CASES[name]
    source = read_model(build(net(op, attributes, directions=directions)))
    canonical = canonicalise(source)
    assert not {node.op_type for node in canonical.model.graph.node} & set(GATES)
    before, after = Execution(source.model), Execution(canonical.model)
    feeds = before.feeds(2, 9)
    assert agree(after.run(feeds), before.run(feeds)) is None


def test_every_gate_is_a_layer_with_a_name() -> None:
    canonical = canonicalise(read_model(build(net("LSTM"))))
    names = {node.name for node in canonical.model.graph.node}
    assert {f"cell.forward.step{t}.{g}" for t in range(1, 4) for g in "iofc"} <= names
    assert "cell.forward.step0.f" not in names  # there is no cell to forget yet
    assert "swap" not in names  # the batch stays in front


STATES = """
net (float[N,4,2] x) => (float[N,3] y)
    <float[1,12,2] w, float[1,12,3] r, float[1,24] b, float zero = {0},
     int64[1] one = {1}, int64[1] three = {3}, int64[1] first = {0}, float[3,3] v>
{
    [swap] t = Transpose <perm = [1, 0, 2]> (x)
    n = Shape <start = 0, end = 1> (x)
    shape = Concat <axis = 0> (one, n, three)
    zeros = Expand (zero, shape)
    [cell] h, last, c = LSTM <hidden_size = 3> (t, w, r, b, , zeros, zeros)
    [squeeze] s = Squeeze (c, first)
    [fc] y = MatMul (s, v)
}
"""


def test_zero_states_of_open_batch_are_seen() -> None:
    source = read_model(build(STATES))
    canonical = canonicalise(source)
    assert "Expand" not in {node.op_type for node in canonical.model.graph.node}
    assert canonical.batch_free
    before, after = Execution(source.model), Execution(canonical.model)
    feeds = before.feeds(3, 9)
    assert agree(after.run(feeds), before.run(feeds)) is None


COMPUTED = """
net (float[N,4,2] x, float[N,3] start) => (float[N,3] y)
    <float[1,9,2] w, float[1,9,3] r, int64[1] first = {0}>
{
    [swap] t = Transpose <perm = [1, 0, 2]> (x)
    h0 = Unsqueeze (start, first)
    [cell] h, last = GRU <hidden_size = 3> (t, w, r, , , h0)
    [squeeze] y = Squeeze (last, first)
}
"""


def test_a_computed_initial_state() -> None:
    source = read_model(build(COMPUTED))
    canonical = canonicalise(source)
    before, after = Execution(source.model), Execution(canonical.model)
    feeds = before.feeds(3, 9)
    assert agree(after.run(feeds), before.run(feeds)) is None


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (", clip = 1.0", "clips its gates"),
        (", input_forget = 1", "input_forget"),
        (', activations = ["Sigmoid", "ScaledTanh", "Tanh"]', "ScaledTanh"),
    ],
)
def test_quirks_are_refused_by_name(attributes: str, reason: str) -> None:
    with pytest.raises(UnsupportedOpError, match=reason) as caught:
        canonicalise(read_model(build(net("LSTM", attributes))))
    assert [(f.node, f.op) for f in caught.value.findings] == [("cell", "LSTM")]
    assert "fixed sequence length" in caught.value.findings[0].remedy


def test_sequences_that_end_early_are_refused() -> None:
    model = build(
        net("GRU").replace("net (", "net (int32[N] lengths, ").replace("b)", "b, lengths)")
    )
    with pytest.raises(UnsupportedOpError, match="sequence_lens"):
        canonicalise(read_model(model))


def test_too_many_steps_are_refused_before_they_are_written() -> None:
    model = build(net("LSTM", steps="5000"))
    onnx.checker.check_model(model)
    with pytest.raises(ModelTooLargeError, match="shorter sequence"):
        canonicalise(read_model(model))


def test_open_lengths_can_be_given() -> None:
    source = read_model(build(net("GRU", steps="S")))
    canonical = canonicalise(source, input_shapes={"x": (1, 4, 2)})
    feeds = {"x": np.random.default_rng(3).normal(size=(1, 4, 2)).astype(np.float32)}
    before, after = Execution(source.model), Execution(canonical.model)
    assert agree(after.run(feeds), before.run(feeds)) is None


PYTORCH_BOTH = """
net (float[N,4,2] x) => (float[N,5] y)
    <float[2,9,2] w, float[2,9,3] r, float[2,18] b, int64[3] shape = {0, 0, -1},
     int64 end = {-1}, float[6,5] v>
{
    [swap] t = Transpose <perm = [1, 0, 2]> (x)
    [cell] h = GRU <hidden_size = 3, linear_before_reset = 1, direction = "bidirectional">
        (t, w, r, b)
    [apart] a = Transpose <perm = [0, 2, 1, 3]> (h)
    [join] j = Reshape (a, shape)
    [back] z = Transpose <perm = [1, 0, 2]> (j)
    [relu] p = Relu (z)
    [end] e = Gather <axis = 1> (p, end)
    [fc] y = MatMul (e, v)
}
"""

PYTORCH_LAST = """
net (float[N,4,2] x) => (float[N,5] y)
    <float[1,9,2] w, float[1,9,3] r, float[1,18] b, int64[1] one = {1}, int64 end = {-1},
     float[3,5] v>
{
    [swap] t = Transpose <perm = [1, 0, 2]> (x)
    [cell] h = GRU <hidden_size = 3> (t, w, r, b)
    [flat] s = Squeeze (h, one)
    [back] z = Transpose <perm = [1, 0, 2]> (s)
    [end] e = Gather <axis = 1> (z, end)
    [fc] y = MatMul (e, v)
}
"""

STACKED = """
net (float[N,4,2] x) => (float[N,4,3] y)
    <float[1,9,2] w, float[1,9,3] r, float[1,9,3] w2, float[1,9,3] r2, int64[1] one = {1}>
{
    [swap] t = Transpose <perm = [1, 0, 2]> (x)
    [cell] h = GRU <hidden_size = 3> (t, w, r)
    [flat] s = Squeeze (h, one)
    [cell2] h2 = GRU <hidden_size = 3> (s, w2, r2)
    [flat2] s2 = Squeeze (h2, one)
    [back] y = Transpose <perm = [1, 0, 2]> (s2)
}
"""


@pytest.mark.parametrize("text", [PYTORCH_BOTH, PYTORCH_LAST, STACKED])
def test_outputs_are_handed_on_with_the_batch_in_front(text: str) -> None:
    source = read_model(build(text))
    canonical = canonicalise(source)
    assert canonical.batch_free
    before, after = Execution(source.model), Execution(canonical.model)
    feeds = before.feeds(2, 9)
    assert agree(after.run(feeds), before.run(feeds)) is None
    for item in canonical.model.graph.value_info:
        dims = item.type.tensor_type.shape.dim
        assert not any(dim.dim_param == "N" for dim in dims[1:]), item.name


def test_the_last_step_alone_needs_no_sequence() -> None:
    ops = [n.op_type for n in canonicalise(read_model(build(PYTORCH_LAST))).model.graph.node]
    assert not {"Concat", "Transpose", "Squeeze", "Unsqueeze"} & set(ops)

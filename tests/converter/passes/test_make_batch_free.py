from __future__ import annotations

import numpy as np
from tests.converter.passes.rewriting import rewrite
from tests.nets import NETS

from onnx2snn.converter.judging.batching import is_batch_free
from onnx2snn.converter.passes.make_batch_free import make_batch_free


def _first_dims(model):
    return [
        item.type.tensor_type.shape.dim[0].dim_param
        for item in (*model.graph.input, *model.graph.output)
    ]


def test_fixed_batch_becomes_symbolic() -> None:
    result = rewrite(NETS["fixed_batch"], make_batch_free)
    assert _first_dims(result.after) == ["N", "N"]
    np.testing.assert_array_equal(result.operand("flat", 1), [0, -1])
    assert is_batch_free(result.after)
    assert result.again == []
    assert result.difference(batch=1) == 0.0  # the same operations


def test_free_batch_is_left_alone() -> None:
    assert rewrite(NETS["residual"], make_batch_free).changes == []


def test_dynamic_batch_that_is_fixed_inside_is_repaired() -> None:
    text = NETS["fixed_batch"].replace("[1,2,4,4] x", "[N,2,4,4] x").replace("[1,5] y", "[N,5] y")
    result = rewrite(text, make_batch_free)
    assert is_batch_free(result.after)
    assert not is_batch_free(result.before)


CLASS_TOKEN = """
net (float[1,3,4] x) => (float[1,4,4] y) <float[1,1,4] token, float[1,4,4] position>
{
    [join] j = Concat <axis = 1> (token, x)
    [add] y = Add (j, position)
}
"""


def test_a_constant_joined_with_samples_is_repeated() -> None:
    result = rewrite(CLASS_TOKEN, make_batch_free)
    assert result.ops == ["Shape", "Concat", "Expand", "Concat", "Add"]
    assert is_batch_free(result.after)
    assert result.again == []
    assert result.difference(batch=1) == 0.0  # copies


def test_what_does_not_help_is_undone() -> None:
    mixing = CLASS_TOKEN.replace("=> (float[1,4,4] y)", "=> (float[1,4] y)").replace(
        "[add] y = Add (j, position)", "[sum] y = ReduceSum <keepdims = 0> (j, axes)"
    )
    result = rewrite(
        mixing.replace("float[1,4,4] position", "int64[1] axes = {0}"), make_batch_free
    )
    assert result.changes == []
    assert result.ops == ["Concat", "ReduceSum"]


def test_samples_that_mix_leave_the_model_as_it_was() -> None:
    result = rewrite(
        """
        net (float[2,4] x) => (float[2,4] y) <int64[1] axes = {0}>
        {
            [mean] m = ReduceMean (x, axes)
            [centre] y = Sub (x, m)
        }
        """,
        make_batch_free,
    )
    assert result.changes == []
    assert result.after.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2
    assert not is_batch_free(result.after)

from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import rewrite
from tests.nets import NETS

from onnx2snn.converter.passes.merge_matmul_add import merge_matmul_add


def test_a_product_and_its_bias_are_one_gemm() -> None:
    result = rewrite(NETS["mlp_matmul"], merge_matmul_add)
    assert result.ops == ["Gemm", "Relu", "Gemm"]
    assert result.names == ["fc1", "relu1", "fc2"]
    assert [change.node for change in result.changes] == ["bias1", "bias2"]
    assert result.again == []
    # Gemm may add the bias first.
    assert result.difference() < 1e-6


@pytest.mark.parametrize("bias", ["[3]", "[1,3]", "[1]"])
def test_a_bias_of_any_shape_that_is_the_same_for_all_rows(bias: str) -> None:
    result = rewrite(
        f"""
        net (float[N,4] x) => (float[N,3] y) <float[4,3] w, float{bias} b>
        {{
            [fc] h = MatMul (x, w)
            [bias] y = Add (h, b)
        }}
        """,
        merge_matmul_add,
    )
    assert result.ops == ["Gemm"]
    assert result.difference() < 1e-6  # Gemm may add the bias first


REFUSED = {
    "rank_three": "float[N,2,4] x) => (float[N,2,3] y) <float[4,3] w, float[3] b>",
    "rows_differ": "float[2,4] x) => (float[2,3] y) <float[4,3] w, float[2,3] b>",
    "computed": "float[2,4] x, float[4,3] w) => (float[2,3] y) <float[3] b>",
}


@pytest.mark.parametrize("head", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(head: str) -> None:
    text = f"net ({head} {{ [fc] h = MatMul (x, w) \n [bias] y = Add (h, b) }}"
    assert rewrite(text, merge_matmul_add).changes == []

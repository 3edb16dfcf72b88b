"""The conformance benchmark: what it calls a pass, and that no case fails."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from conformance import judge_all
from conformance_cases import GRID, Left, Net, collect, variants
from conformance_judge import Result, judge, judge_net
from conformance_table import render, summary

SAMPLE = (
    *("test_conv_with_strides_padding", "test_maxpool_2d_pads", "test_gemm_all_attributes"),
    *("test_softmax_axis_1", "test_layer_normalization_2d_axis1", "test_top_k", "test_sub"),
    *("test_argmax_default_axis_example", "test_reduce_sum_keepdims_random", "test_mish"),
    *("test_ai_onnx_ml_tree_ensemble_single_tree", "test_attention_4d_fp16", "test_cumsum_1d"),
)
EVERY = 12
"""One case in so many runs in the slow test; all of them run in the benchmark."""


def net(name: str) -> Net:
    found = next(variants(name))
    assert isinstance(found, Net)
    return found


@pytest.mark.parametrize("name", SAMPLE)
def test_common_operators_pass(name: str) -> None:
    results = judge(name)
    assert results
    assert [(result.verdict, result.reason) for result in results] == [("pass", "")] * len(results)


def test_a_wrong_network_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge compares with the ANN: it must notice a conversion of another one."""
    import conformance_judge

    right = net("test_sub")
    wrong = onnx.ModelProto()
    wrong.CopyFrom(right.model)
    wrong.graph.node[0].op_type = "Add"
    original = conformance_judge.convert
    monkeypatch.setattr(
        conformance_judge, "convert", lambda model, **options: original(wrong, **options)
    )
    result = judge_net(right)
    assert result.verdict == "failed"
    assert "differs by" in result.reason
    assert "the quantised ANN differs as much" in result.reason


def test_labels_may_differ_at_ties_only(monkeypatch: pytest.MonkeyPatch) -> None:
    import conformance_judge

    case = net("test_argmax_default_axis_example")
    tie = dataclasses.replace(case, feeds={k: np.full_like(v, 2) for k, v in case.feeds.items()})
    assert judge_net(tie).verdict == "pass"
    original = conformance_judge.at_silence

    def shifted(*args: object) -> dict[str, np.ndarray]:
        return {name: value + 1 for name, value in original(*args).items()}

    monkeypatch.setattr(conformance_judge, "at_silence", shifted)
    assert judge_net(case).verdict == "failed"


def test_refusals_give_their_reason() -> None:
    (result,) = judge("test_compress_0")
    assert result.verdict == "refused"
    assert (
        result.reason == "Compress: cannot work on a stream: its output shape depends on the data"
    )


def test_activations_lie_on_the_grid() -> None:
    found = net("test_log")  # not defined at zero: the grid is shifted where that is needed
    for values in found.feeds.values():
        np.testing.assert_array_equal(values * 2 * GRID, np.round(values * 2 * GRID))
    assert isinstance(next(variants("test_and2d")), Left)


def test_the_table_names_every_case_that_is_no_pass() -> None:
    results = [
        Result("a", "Conv", "pass", how="linear"),
        Result("b", "Conv", "refused", reason="no | reason"),
        Result("c", "Sin", "failed", reason="differs"),
        Result("d", "Sin", "not applicable", reason="no data"),
        Result("net", "light model net", "pass", how="fine"),
    ]
    text = render(results)
    assert "| Conv | 2 | 1 |" in text
    assert "| b | Conv | no / reason |" in text
    assert "| c | Sin | differs |" in text
    assert "| no data | 1 |" in text
    assert "| net | pass | fine |" in text
    assert summary(results) == "2 pass, 1 refused, 1 failed, 1 not applicable"


@pytest.mark.slow
def test_no_case_fails() -> None:
    names = list(collect())[::EVERY]
    results = judge_all([("node", name) for name in names], workers=2)
    assert {result.name.rstrip("+") for result in results} == set(names)
    assert [result for result in results if result.verdict == "failed"] == []
    assert all(result.reason for result in results if result.verdict != "pass")
    assert sum(result.verdict == "pass" for result in results) > len(names) // 2

"""An emission of k digits is k events: the counter finds the digits the neuron made."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from onnx2snn.ir.derive.parts import float_tensor
from onnx2snn.ir.derive.record import Source, record
from onnx2snn.ir.ops import IR_VERSION, MAX_DIGITS, OPSET
from onnx2snn.ir.ops.graded_integrate_fire import digit
from onnx2snn.ir.session import Session


def counted(emissions: np.ndarray, digits: int) -> np.ndarray:
    """Events of each emission (in quanta of 0.3), by the recording graph."""
    node = helper.make_node("Identity", ["x"], ["y"])
    quantum = helper.make_tensor("q", 1, [1], [0.3])
    graph = helper.make_graph([node], "g", [float_tensor("x", ["N", "F"])], [], [quantum])
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid("onnx2snn", 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=IR_VERSION)
    source = Source("layer", "y", "GradedIntegrateFire", "q", digits, True)
    x = (emissions * np.float32(0.3)).astype(np.float32)[None]
    return Session(record(model, [source], timesteps=None)).run({"x": x})[source.maps].ravel()


@pytest.mark.parametrize("digits", range(1, MAX_DIGITS + 1))
def test_counts_the_digits_of_every_gap(digits: int) -> None:
    gap = np.arange(-1023, 1024, dtype=np.float32)
    emission, made = np.zeros_like(gap), np.zeros_like(gap)
    left = gap
    for _ in range(digits):
        emitted = digit(left)
        left = left - emitted
        emission += emitted
        made += emitted != 0
    np.testing.assert_array_equal(counted(emission, digits), made)


def test_known_decompositions() -> None:
    emissions = np.array([0, 1, -1, 3, 5, 8, -12, 255], np.float32)
    # 3 = 4 - 1, 5 = 4 + 1, -12 = -16 + 4, 255 = 256 - 1
    np.testing.assert_array_equal(counted(emissions, 8), [0, 1, 1, 2, 2, 1, 2, 2])
    np.testing.assert_array_equal(counted(emissions, 1), [0, 1, 1, 1, 1, 1, 1, 1])

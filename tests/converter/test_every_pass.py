"""What every pass promises, over all passes and all nets."""

from __future__ import annotations

import pytest
from tests.converter.passes.rewriting import annotated
from tests.nets import FLOAT_NETS, build

from onnx2snn.converter.canonicalise import PASSES
from onnx2snn.converter.graph.input_shapes import fix_input_shapes
from onnx2snn.converter.graph.observed_shapes import settle_symbols
from onnx2snn.converter.graph.shapes import annotate_shapes, to_model
from onnx2snn.converter.judging.agreement import agree
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.converter.source.read import read_model

ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "PRelu", "Sigmoid", "Tanh")


@pytest.mark.parametrize("net", FLOAT_NETS)
def test_every_pass_in_order(net: str) -> None:
    source = fix_input_shapes(read_model(build(FLOAT_NETS[net])).model, {})
    expected = Execution(source).run(Execution(source).feeds(1, 0))
    names = {node.name for node in source.graph.node if node.op_type in ACTIVATIONS}
    graph = annotated(source)
    for step in PASSES:
        before = to_model(graph).SerializeToString(deterministic=True)
        changes = step(graph)
        after = to_model(graph)
        unchanged = after.SerializeToString(deterministic=True) == before
        assert unchanged == (not changes), f"{step.__name__} is not truthful"
        annotate_shapes(graph)
        settle_symbols(graph)
        assert step(graph) == [], f"{step.__name__} is not idempotent"
        run = Execution(after)
        assert agree(run.run(run.feeds(1, 0)), expected) is None, step.__name__
        assert names <= {node.name for node in after.graph.node}, step.__name__
        assert [o.name for o in after.graph.output] == [o.name for o in source.graph.output]

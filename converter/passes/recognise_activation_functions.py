"""Activations written with elementary operators become the operator they are.

    x * Sigmoid(x), x / (1 + Exp(-x))                       →  Silu(x)      (onnx2snn.ann)
    x * Sigmoid(1.702 x)                                    →  Silu(x), alpha = 1.702 (QuickGELU)
    x * Clip(x + 3, 0, 6) / 6, x * HardSigmoid(x)           →  HardSwish(x)
    Clip(x / 6 + 1/2, 0, 1), Clip(x + 3, 0, 6) / 6          →  HardSigmoid(x)
    x / 2 * (1 + Erf(x / sqrt(2)))                          →  Gelu(x)
    x / 2 * (1 + Tanh(sqrt(2/pi) (x + 0.044715 x^3)))       →  Gelu(x), approximate = "tanh"
    x * Tanh(Softplus(x)), x * Tanh(Log(1 + Exp(x)))        →  Mish(x)
    Log(1 + Exp(x)), Max(x, 0) + Log(1 + Exp(-Abs(x)))      →  Softplus(x)
    Where(x > 0, x, a (Exp(x) - 1)) and scaled              →  Elu, Celu, Selu
    1 / (1 + Exp(-x)); x / (1 + Abs(x)); Where(x > a, x, 0) →  Sigmoid; Softsign; ThresholdedRelu
    Clip(LeakyRelu(x), -c, c), LeakyRelu(Clip(x, -c/a, c))  →  CappedLeakyRelu (onnx2snn.ann)
    (x + Abs(x)) / 2                                        →  Relu(x)

in whatever order and factoring: the function is compared, not the writing (``regions``). The node
keeps the name of the one that computed the result.

Refuses: factors per channel, two different inputs (gates by another tensor), half precision,
anything that is not such a function to six digits.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.ann_functions import ANN_DOMAIN, ANN_FUNCTIONS, attach
from onnx2snn.converter.graph.rewiring import drop_dead
from onnx2snn.converter.recognition.activation_shapes import (
    POINTS,
    Function,
    Shape,
    Values,
    shapes_for,
)
from onnx2snn.converter.recognition.regions import POINTWISE, Region, positions_of, regions
from onnx2snn.ir.findings import Change

_CURVED = (
    *("Sigmoid", "Tanh", "Erf", "Exp", "Softplus", "HardSigmoid", "Elu"),
    *("Clip", "Relu", "Abs", "Where", "Max", "Min"),
)


def recognise_activation_functions(graph: gs.Graph) -> list[Change]:
    """Writes every composite activation as one node; the outermost of nested ones wins."""
    positions = positions_of(graph)
    changes = []
    for node in reversed(list(graph.nodes)):
        if node.outputs and node.outputs[0].dtype != np.float32:
            continue
        for region in regions(positions, node, POINTWISE):
            shape = _identify(region) if region.has(*_CURVED) else None
            if shape is not None:
                changes.append(_write(graph, region, shape))
                drop_dead(graph)  # the nodes inside are not looked at again
                break
    return changes[::-1]


def _identify(region: Region) -> Shape | None:
    values = region.evaluate(POINTS)
    if values is None or values.shape != POINTS.shape:
        return None
    candidates = shapes_for(_extended(region), region.scalars())
    # What is a Relu already, and does nothing to its result, keeps its name.
    known = region.has("Relu", "Clip", "LeakyRelu", "Where", "Max", "Min")
    fitting = (shape for shape in candidates if shape.fits(values))
    return next((shape for shape in fitting if not (known and shape.op == "Relu")), None)


def _extended(region: Region) -> Function:
    """The region as a function that is zero where its value is not finite."""

    def function(x: Values) -> Values:
        values = region.evaluate(x)
        return np.zeros_like(x) if values is None else values

    return function


def _write(graph: gs.Graph, region: Region, shape: Shape) -> Change:
    node = region.last
    change = Change(node=node.name, op=node.op, became=shape.op)
    node.op, node.domain = shape.op, shape.domain or None
    node.attrs.clear()
    node.attrs.update(shape.attributes)
    node.inputs = [region.x]
    if shape.domain == ANN_DOMAIN:
        attach(graph, next(body for body in ANN_FUNCTIONS if body.name == shape.op))
    return change

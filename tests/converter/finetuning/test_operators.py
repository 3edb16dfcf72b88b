"""Every operator in torch computes what onnxruntime does, in the corners of its attributes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

pytest.importorskip("torch")

from onnx2snn.converter.ann_functions import ANN_FUNCTIONS
from onnx2snn.converter.finetuning.network import build_network, judge_network
from onnx2snn.converter.finetuning.operators import OPERATORS

IMAGE = "float[N,4,9,7] x"
ROWS = "float[N,5,6] x"

CASES = {
    "Conv asymmetric": (
        IMAGE,
        "y = Conv <pads = [1,0,2,1], strides = [2,1]> (x, w)",
        "float[6,4,3,3] w",
    ),
    "Conv grouped, dilated": (
        IMAGE,
        "y = Conv <group = 2, dilations = [2,1], pads = [2,1,2,1]> (x, w, b)",
        "float[6,2,3,3] w, float[6] b",
    ),
    "Conv 1d": (ROWS, "y = Conv <strides = [2]> (x, w)", "float[3,5,3] w"),
    "ConvTranspose": (
        IMAGE,
        "y = ConvTranspose <strides = [2,2], pads = [1,0,0,1], output_padding = [1,0]> (x, w, b)",
        "float[4,3,3,3] w, float[3] b",
    ),
    "AveragePool without pads": (
        IMAGE,
        "y = AveragePool <kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]> (x)",
        "",
    ),
    "AveragePool with pads": (
        IMAGE,
        "y = AveragePool <kernel_shape = [3,2], pads = [1,0,0,1], count_include_pad = 1> (x)",
        "",
    ),
    "MaxPool ceil": (
        IMAGE,
        "y = MaxPool <kernel_shape = [3,3], strides = [2,2], ceil_mode = 1> (x)",
        "",
    ),
    "MaxPool padded": (
        IMAGE,
        "y = MaxPool <kernel_shape = [2,3], pads = [1,2,0,0], dilations = [1,2]> (x)",
        "",
    ),
    "GlobalAveragePool": (IMAGE, "y = GlobalAveragePool (x)", ""),
    "Gemm": (
        "float[N,6] x",
        "y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (x, w, b)",
        "float[4,6] w, float[4] b",
    ),
    "MatMul": (ROWS, "y = MatMul (x, w)", "float[6,3] w"),
    "Einsum": (ROWS, 'y = Einsum <equation = "nij,jk->nik"> (x, w)', "float[6,3] w"),
    "BatchNormalization": (
        IMAGE,
        "y = BatchNormalization (x, s, b, m, var)",
        "float[4] s, float[4] b, float[4] m, float[4] var",
    ),
    "LayerNormalization": (ROWS, "y = LayerNormalization (x, s, b)", "float[6] s, float[6] b"),
    "GroupNormalization": (
        IMAGE,
        "y = GroupNormalization <num_groups = 2> (x, s, b)",
        "float[4] s, float[4] b",
    ),
    "InstanceNormalization": (
        IMAGE,
        "y = InstanceNormalization (x, s, b)",
        "float[4] s, float[4] b",
    ),
    "Softmax": (ROWS, "h = Softmax <axis = 1> (x) y = Mul (h, x)", ""),
    "ReduceMean": (
        ROWS,
        "axes = Constant <value_ints = [-1]> () y = ReduceMean <keepdims = 0> (x, axes)",
        "",
    ),
    "Reshape": (ROWS, "to = Constant <value_ints = [0,3,-1]> () y = Reshape (x, to)", ""),
    "Flatten": (IMAGE, "y = Flatten <axis = 2> (x)", ""),
    "Transpose": (IMAGE, "y = Transpose <perm = [0,2,3,1]> (x)", ""),
    "Unsqueeze and Squeeze": (
        ROWS,
        "at = Constant <value_ints = [1,-1]> () h = Unsqueeze (x, at) y = Squeeze (h, at)",
        "",
    ),
    "Concat": (ROWS, "h = Relu (x) y = Concat <axis = -1> (x, h)", ""),
    "Slice backwards": (
        ROWS,
        "s = Constant <value_ints = [-1,1]> () e = Constant <value_ints = [-9,6]> ()"
        " a = Constant <value_ints = [1,2]> () t = Constant <value_ints = [-2,2]> ()"
        " y = Slice (x, s, e, a, t)",
        "",
    ),
    "Split": (ROWS, "a, b = Split <axis = 2, num_outputs = 2> (x) y = Mul (a, b)", ""),
    "Gather": (ROWS, "i = Constant <value_ints = [2,0,-1]> () y = Gather <axis = 2> (x, i)", ""),
    "Pad": (IMAGE, "p = Constant <value_ints = [0,0,1,2,0,0,0,1]> () y = Pad (x, p)", ""),
    "Pad reflect": (
        IMAGE,
        'p = Constant <value_ints = [0,0,1,2,0,0,0,1]> () y = Pad <mode = "reflect"> (x, p)',
        "",
    ),
    "Expand": ("float[N,1,6] x", "to = Constant <value_ints = [1,4,1]> () y = Expand (x, to)", ""),
    "Shape": (ROWS, "s = Shape <start = 0> (x) h = Flatten (x) y = Reshape (h, s)", ""),
    "Resize nearest": (
        IMAGE,
        "f = Constant <value_floats = [1.0,1.0,2.0,2.0]> ()"
        ' y = Resize <coordinate_transformation_mode = "asymmetric", nearest_mode = "floor">'
        " (x, , f)",
        "",
    ),
    "Resize linear": (
        IMAGE,
        'f = Constant <value_floats = [1.0,1.0,2.0,2.0]> () y = Resize <mode = "linear"> (x, , f)',
        "",
    ),
    "Identity": (ROWS, "h = Identity (x) y = Relu (h)", ""),
    "Clip": (
        ROWS,
        "lo = Constant <value_float = -0.2> () hi = Constant <value_float = 0.7> ()"
        " y = Clip (x, lo, hi)",
        "",
    ),
    "PRelu": (IMAGE, "y = PRelu (x, s)", "float[4,1,1] s"),
    **{
        f"{op} of positive": (ROWS, f"a = Exp (x) y = {op} (a)", "")
        for op in ("Log", "Sqrt", "Reciprocal")
    },
    **{
        op: (ROWS, f"y = {op} (x)", "")
        for op in (
            *("Relu", "LeakyRelu", "Sigmoid", "HardSigmoid", "Tanh", "HardSwish", "Elu", "Selu"),
            *("Celu", "Softplus", "Softsign", "Mish", "Neg", "Abs", "Exp", "Erf"),
        )
    },
    "Gelu": (ROWS, 'y = Gelu <approximate = "tanh"> (x)', ""),
    **{op: (ROWS, f"y = {op} (x, w)", "float[6] w") for op in ("Add", "Sub", "Mul", "Max", "Min")},
    "Div and Pow": (ROWS, "e = Exp (x) d = Div (x, e) y = Pow (e, d)", ""),
    **{
        f"Where {op}": (
            ROWS,
            f"z = Constant <value_float = 0.1> () c = {op} (x, z) y = Where (c, z, x)",
            "",
        )
        for op in ("Less", "LessOrEqual", "Greater", "GreaterOrEqual")
    },
    "Silu": (ROWS, "y = onnx2snn.ann.Silu <alpha = 1.7> (x)", ""),
    "RMSNorm": (ROWS, "y = onnx2snn.ann.RMSNorm <epsilon = 0.001> (x, s)", "float[6] s"),
    "ClipFloor": (ROWS, "y = onnx2snn.ann.ClipFloor <levels = 4> (x, v)", "float v = {1.25}"),
    "LeakyClipFloor": (
        ROWS,
        "y = onnx2snn.ann.LeakyClipFloor <levels = 4, negative_levels = 2, alpha = 0.3> (x, v)",
        "float v = {1.25}",
    ),
}


def one_op_net(title: str) -> onnx.ModelProto:
    """A model of the case, its weights drawn from a seed."""
    given, body, weights = CASES[title]
    declared = f"<{weights}>" if weights else ""
    text = f"net ({given}) => (float y) {declared} {{ {body} }}"
    header = '<ir_version: 10, opset_import: ["" : 21, "onnx2snn.ann" : 1]>\n'
    model = onnx.parser.parse_model(header + text)
    rng = np.random.default_rng(1)
    stored = {tensor.name for tensor in model.graph.initializer}
    for info in model.graph.value_info:
        shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        if info.name not in stored:
            drawn = rng.normal(size=shape).astype(np.float32)
            values = np.abs(drawn) + 0.5 if "var" in info.name else drawn
            model.graph.initializer.append(onnx.numpy_helper.from_array(values, info.name))
    model.functions.extend(
        f for f in ANN_FUNCTIONS if f.name in {n.op_type for n in model.graph.node}
    )
    return model


@pytest.mark.parametrize("title", CASES)
def test_an_operator_computes_what_onnxruntime_computes(title: str) -> None:
    model = one_op_net(title)
    shape = [dim.dim_value or 3 for dim in model.graph.input[0].type.tensor_type.shape.dim]
    feeds = {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    network, parameters = build_network(_folded(model))
    judge_network(network, parameters, feeds, "cpu")


def test_every_operator_has_a_case() -> None:
    seen = {node.op_type for title in CASES for node in one_op_net(title).graph.node}
    assert set(OPERATORS) <= seen | {"ReduceSum", "ReduceMax"}


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Constants as initializers, as the canonical ANN has them."""
    import onnx_graphsurgeon as gs

    from onnx2snn.converter.graph.to_model import to_model
    from onnx2snn.converter.passes.fold_constants import fold_constants

    graph = gs.import_onnx(model)
    fold_constants(graph)
    return to_model(graph)

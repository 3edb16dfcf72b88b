"""Nets with one odd trait each: they convert, keep their signature, and settle at the ANN."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from conversions import draw, run
from tests.nets import build

from onnx2snn.converter.convert import convert
from onnx2snn.ir.session import Session

NETS = {
    "integers beside values": """
net (float[N,5] x) => (float[N,2] y, int64[N,2] places, float[N,2] z)
    <float[5,5] w, float[2,2] v, int64[1] k = {2}>
{
    [fc] h = MatMul (x, w)
    [relu] r = Relu (h)
    [top] t, places = TopK (r, k)
    [relu2] y = Relu (t)
    [fc2] z = MatMul (y, v)
}
""",
    "an estimate is an output, too": """
net (float[N,5] x) => (float[N,5] p, float[N,3] y) <float[5,5] w, float[5,3] v>
{
    [fc] h = MatMul (x, w)
    [softmax] p = Softmax (h)
    [fc2] y = MatMul (p, v)
}
""",
    "truth values beside values": """
net (float[N,5] x) => (bool[N,5] high, float[N,5] y) 
    <float[5,5] w, float half = {0.5}, float no = {0}>
{
    [fc] h = MatMul (x, w)
    [compare] high = Greater (h, half)
    [choose] c = Where (high, h, no)
    [relu] y = Relu (c)
}
""",
    "neurons of rank 0": """
net (float[N,5] x) => (float y) <float[5,5] w>
{
    [fc] h = MatMul (x, w)
    [mean] m = ReduceMean <keepdims = 0> (h)
    [relu] y = LeakyRelu (m)
}
""",
    "neurons of rank 1": """
net (float[N] x) => (float[N] y) <float slope = {-0.7}>
{
    [scale] h = Mul (x, slope)
    [relu] y = Relu (h)
}
""",
    "a sigmoid is all there is": """
net (float[N,5] x) => (float[N,5] y) <float[5,5] w>
{
    [fc] h = MatMul (x, w)
    [sigmoid] y = Sigmoid (h)
}
""",
    "a mean with constants": """
net (float[N,5] x) => (float[N,5] y) <float[5] a, float[5] b>
{
    [mean] m = Mean (x, a, b)
    [relu] y = LeakyRelu (m)
}
""",
    "values from outside the image": """
net (float[N,1,4,4] x) => (float[N,1,3,3] y)
    <float[8] roi = {0, 0, 0.4, 0.6, 1, 1, 1.2, 1.7}, int64[4] sizes = {-1, 1, 3, 3}>
{
    [batch] n = Shape <end = 1> (x)
    [rest] s = Constant <value_ints = [1, 3, 3]> ()
    [size] t = Concat <axis = 0> (n, s)
    [crop] c = Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize",
                       extrapolation_value = 10.0> (x, roi, , t)
    [relu] y = LeakyRelu (c)
}
""",
    "the first rows of a batch": """
net (float[4,5] x) => (float[2,5] y) <float[5,5] w, int64[1] zero = {0}, int64[1] two = {2}>
{
    [fc] h = MatMul (x, w)
    [rows] s = Slice (h, zero, two, zero)
    [relu] y = Relu (s)
}
""",
    "one row of a batch is written to": """
net (float[4,5] x) => (float[4,5] y) <float[1,5] u = {-9, -9, -9, -9, -9}, int64[1,1] first = {0}>
{
    [write] h = ScatterND <reduction = "min"> (x, first, u)
    [relu] y = LeakyRelu (h)
}
""",
    "a shape is an output": """
net (float[N,5] x) => (float[N,5] y, int64[2] s) <float[5,5] w>
{
    [fc] h = MatMul (x, w)
    [relu] y = Relu (h)
    [shape] s = Shape (y)
}
""",
    "the mask of a dropout is an output": """
net (float[N,5] x) => (float[N,5] y, bool[N,5] mask) <float[5,5] w>
{
    [fc] h = MatMul (x, w)
    [drop] d, mask = Dropout (h)
    [relu] y = Relu (d)
}
""",
}


def signature(model: onnx.ModelProto) -> list[tuple[str, int, int]]:
    return [
        (v.name, v.type.tensor_type.elem_type, len(v.type.tensor_type.shape.dim))
        for v in (*model.graph.input, *model.graph.output)
        if v.name != "timesteps"
    ]


@pytest.mark.parametrize("preset", ["graded", "ternary", "rate"])
@pytest.mark.parametrize("name", list(NETS))
def test_odd_nets(name: str, preset: str) -> None:
    ann = build(NETS[name])
    x = draw(ann, 4 if ann.graph.input[0].type.tensor_type.shape.dim[0].dim_value != 4 else 1)
    model, _ = convert(ann, calibration=x, preset=preset)
    assert signature(model.proto) == signature(ann)
    expected = Session(ann, optimised=False).run(x)
    found = run(model, x, {"graded": 32, "ternary": 200, "rate": 64}[preset])
    # 2047 levels of ranges up to 10 (weights of one behind them) or 31, bias corrected; rate
    # coding at its default T, ranges halved by MSE.
    grid = {"graded": 0.02, "ternary": 0.5, "rate": 2.0}[preset]
    for output, wanted in expected.items():
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(found[output], wanted, atol=grid)
        elif preset == "graded":
            np.testing.assert_array_equal(found[output], wanted)
        assert found[output].dtype == wanted.dtype

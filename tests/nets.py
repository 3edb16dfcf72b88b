"""Tiny nets as ONNX text, each with one trait that architectures or exporters bring along.

A name that is declared with a shape but no values is a weight: ``build`` draws it from a seed, so
that no two channels are alike. Names with ``var`` in them are drawn positive.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser

HEADER = '<ir_version: 10, opset_import: ["" : 21]>\n'

MLP = """
mlp (float[N,6] x) => (float[N,3] y)
    <float[6,8] w1, float[8] b1, float[8,3] w2, float[3] b2>
{
    [fc1] h = Gemm (x, w1, b1)
    [relu1] r = Relu (h)
    [fc2] y = Gemm (r, w2, b2)
}
"""

MLP_MATMUL = """
mlp_matmul (float[N,6] x) => (float[N,3] y)
    <float[6,8] w1, float[8] b1, float[8,3] w2, float[3] b2>
{
    [fc1] h = MatMul (x, w1)
    [bias1] a = Add (h, b1)
    [relu1] r = Relu (a)
    [fc2] g = MatMul (r, w2)
    [bias2] y = Add (b2, g)
}
"""

CONV_BN_RELU = """
conv_bn_relu (float[N,3,8,8] x) => (float[N,5] y)
    <float[4,3,3,3] w, float[4] scale, float[4] bias, float[4] mean, float[4] var,
     float[4,5] v, float[5] c>
{
    [conv] h = Conv <pads = [1, 1, 1, 1]> (x, w)
    [bn] n = BatchNormalization (h, scale, bias, mean, var)
    [relu] r = Relu (n)
    [pool] p = GlobalAveragePool (r)
    [flat] f = Flatten (p)
    [fc] y = Gemm (f, v, c)
}
"""

BN_CONV = """
bn_conv (float[N,3,8,8] x) => (float[N,4,8,8] y)
    <float[3] scale, float[3] bias, float[3] mean, float[3] var, float[4,3,3,3] w>
{
    [bn] n = BatchNormalization (x, scale, bias, mean, var)
    [conv] h = Conv <pads = [1, 1, 1, 1]> (n, w)
    [relu] y = Relu (h)
}
"""

RESIDUAL = """
residual (float[N,3,8,8] x) => (float[N,6] y)
    <float[4,3,3,3] w0, float[4] b0, float[4,4,3,3] w1, float[4] scale1, float[4] bias1,
     float[4] mean1, float[4] var1, float[4,4,3,3] w2, float[4] b2, float[4,6] v, float[6] c>
{
    [conv0] h0 = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
    [relu0] r0 = Relu (h0)
    [conv1] h1 = Conv <pads = [1, 1, 1, 1]> (r0, w1)
    [bn1] n1 = BatchNormalization (h1, scale1, bias1, mean1, var1)
    [relu1] r1 = Relu (n1)
    [conv2] h2 = Conv <pads = [1, 1, 1, 1]> (r1, w2, b2)
    [add] s = Add (h2, r0)
    [relu2] r2 = Relu (s)
    [pool] p = GlobalAveragePool (r2)
    [flat] f = Flatten (p)
    [fc] y = Gemm (f, v, c)
}
"""

MAXPOOL = """
maxpool (float[N,1,9,9] x) => (float[N,3] y)
    <float[4,1,3,3] w, float[4] b, float[64,3] v, float[3] c, int64[2] shape = {-1, 64}>
{
    [conv] h = Conv (x, w, b)
    [relu] r = Relu (h)
    [pool] p = MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (r)
    [flat] f = Reshape (p, shape)
    [fc] y = MatMul (f, v)
}
"""

DEPTHWISE_RELU6 = """
depthwise_relu6 (float[N,4,8,8] x) => (float[N,6,4,4] y)
    <float[4,1,3,3] w1, float[4] scale1, float[4] bias1, float[4] mean1, float[4] var1,
     float[6,4,1,1] w2, float[6] scale2, float[6] bias2, float[6] mean2, float[6] var2,
     float zero = {0}, float six = {6}>
{
    [depthwise] h1 = Conv <group = 4, strides = [2, 2], pads = [1, 1, 1, 1]> (x, w1)
    [bn1] n1 = BatchNormalization (h1, scale1, bias1, mean1, var1)
    [relu6_1] r1 = Clip (n1, zero, six)
    [pointwise] h2 = Conv (r1, w2)
    [bn2] n2 = BatchNormalization (h2, scale2, bias2, mean2, var2)
    [relu6_2] y = Clip (n2, zero, six)
}
"""

SHARED_WEIGHTS = """
shared_weights (float[N,3,6,6] x) => (float[N,3,6,6] y)
    <float[3,3,3,3] w, float[3] scale, float[3] bias, float[3] mean, float[3] var>
{
    [conv1] h1 = Conv <pads = [1, 1, 1, 1]> (x, w)
    [bn] n1 = BatchNormalization (h1, scale, bias, mean, var)
    [relu1] r1 = Relu (n1)
    [conv2] h2 = Conv <pads = [1, 1, 1, 1]> (r1, w)
    [relu2] y = Relu (h2)
}
"""

NHWC = """
nhwc (float[N,8,8,3] x) => (float[N,5] y)
    <float[4,3,3,3] w1, float[4] scale, float[4,4,3,3] w2, float[4] b2, float[4,5] v, float[5] c,
     int64[2] axes = {1, 2}>
{
    [to_nchw1] t1 = Transpose <perm = [0, 3, 1, 2]> (x)
    [conv1] h1 = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (t1, w1)
    [to_nhwc1] u1 = Transpose <perm = [0, 2, 3, 1]> (h1)
    [scale1] s1 = Mul (u1, scale)
    [relu1] r1 = Relu (s1)
    [to_nchw2] t2 = Transpose <perm = [0, 3, 1, 2]> (r1)
    [conv2] h2 = Conv <auto_pad = "SAME_UPPER"> (t2, w2)
    [to_nhwc2] u2 = Transpose <perm = [0, 2, 3, 1]> (h2)
    [bias2] a2 = Add (u2, b2)
    [add] s2 = Add (a2, r1)
    [relu2] r2 = Relu (s2)
    [mean] p = ReduceMean <keepdims = 0> (r2, axes)
    [fc] g = MatMul (p, v)
    [bias] y = Add (g, c)
}
"""

LEAKY = """
leaky (float[N,2,6,6] x) => (float[N,3,2,2] y)
    <float[3,2,3,3] w, float[3] b, float alpha = {0.1}>
{
    [conv] h = Conv (x, w, b)
    [slope] a = Mul (h, alpha)
    [leaky] r = Max (h, a)
    [pool] y = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (r)
}
"""

BRANCHES = """
branches (float[N,3,6,6] x) => (float[N,4] y)
    <float[2,3,1,1] w1, float[2] b1, float[3,3,3,3] w2, float[3] b2, float[5,4] v, float[4] c>
{
    [conv1] h1 = Conv (x, w1, b1)
    [relu1] r1 = Relu (h1)
    [conv2] h2 = Conv <pads = [1, 1, 1, 1]> (x, w2, b2)
    [relu2] r2 = Relu (h2)
    [concat] j = Concat <axis = 1> (r1, r2)
    [pool] p = GlobalAveragePool (j)
    [flat] f = Flatten (p)
    [fc] y = Gemm (f, v, c)
}
"""

UPSAMPLE = """
upsample (float[N,2,4,4] x) => (float[N,2,8,8] y)
    <float[2,3,2,2] w, float[3] b, float[3] scale, float[3] bias, float[3] mean, float[3] var,
     float[2,3,1,1] v>
{
    [up] h = ConvTranspose <strides = [2, 2]> (x, w, b)
    [bn] n = BatchNormalization (h, scale, bias, mean, var)
    [relu] r = Relu (n)
    [head] y = Conv (r, v)
}
"""

TORCHSCRIPT_SHORTCUT = """
torchscript_shortcut (float[N,4,8,8] x) => (float[N,8] y)
    <float[8,4,3,3] w, float[8] b, int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2},
     int64[1] axis2 = {2}, int64[1] axis3 = {3}, int64[1] far = {9223372036854775807},
     int64[8] pads = {0, 2, 0, 0, 0, 2, 0, 0}, int64 first = {0}>
{
    [conv] h = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w, b)
    [slice2] s2 = Slice (x, zero, far, axis2, two)
    [slice3] s3 = Slice (s2, zero, far, axis3, two)
    [pad] p = Pad (s3, pads)
    [add] a = Add (h, p)
    [relu] r = Relu (a)
    [pool] g = GlobalAveragePool (r)
    [shape] d = Shape (g)
    [batch] n = Gather (d, first)
    [unsqueeze] n1 = Unsqueeze (n, zero)
    [rest] m1 = Constant <value = int64[1] {-1}> ()
    [target] t = Concat <axis = 0> (n1, m1)
    [flat] y = Reshape (g, t)
}
"""

FIXED_BATCH = """
fixed_batch (float[1,2,4,4] x) => (float[1,5] y)
    <float[3,2,3,3] w, float[3] b, float[12,5] v, float[5] c, int64[2] shape = {1, -1}>
{
    [conv] h = Conv (x, w, b)
    [relu] r = Relu (h)
    [flat] f = Reshape (r, shape)
    [fc] y = Gemm (f, v, c)
}
"""

STAIRS = """
net (float[N,3] x) => (float[N,2] y)
    <float[3,8] w1, float[8] b1, float[8,6] w2, float[6] b2, float[6,2] w3,
     float lam = {1.5}, float levels = {4}, float zero = {0}, float one = {1}, float half = {0.5}>
{
  h1 = Gemm (x, w1, b1)
  d1 = Div (h1, lam)  c1 = Clip (d1, zero, one)  m1 = Mul (c1, levels)
  a1 = Add (m1, half)  f1 = Floor (a1)  e1 = Div (f1, levels)  [q1] r1 = Mul (e1, lam)
  h2 = Gemm (r1, w2, b2)
  d2 = Div (h2, lam)  c2 = Clip (d2, zero, one)  m2 = Mul (c2, levels)
  a2 = Add (m2, half)  f2 = Floor (a2)  e2 = Div (f2, levels)  [q2] r2 = Mul (e2, lam)
  y = MatMul (r2, w3)
}
"""
"""Two layers of QCFS, four levels each."""

COMPOSITES = """
composites (float[N,6] x) => (float[N,3] y)
    <float[6,8] w1, float[8] b1, float[8] g, float[8] s, float[8,8] w2, float[8] b2, float[8,3] w3,
     int64[1] last = {-1}, float eps = {0.00001}, float root = {1.4142135}, float one = {1},
     float half = {0.5}>
{
    [fc1] h = Gemm (x, w1, b1)
    [mean] m = ReduceMean (h, last)
    [centred] d = Sub (h, m)
    [squares] q = Mul (d, d)
    [variance] v = ReduceMean (q, last)
    [shifted] a = Add (v, eps)
    [deviation] e = Sqrt (a)
    [normal] n = Div (d, e)
    [scaled] t = Mul (n, g)
    [norm] u = Add (t, s)
    [fc2] z = Gemm (u, w2, b2)
    [ratio] r = Div (z, root)
    [error] f = Erf (r)
    [gate] k = Add (f, one)
    [product] p = Mul (z, k)
    [gelu] l = Mul (p, half)
    [hard_gate] c = HardSigmoid <alpha = 0.16666667, beta = 0.5> (l)
    [hard_swish] j = Mul (l, c)
    [fc3] y = Gemm (j, w3)
}
"""

NETS = {
    "mlp": MLP,
    "mlp_matmul": MLP_MATMUL,
    "conv_bn_relu": CONV_BN_RELU,
    "bn_conv": BN_CONV,
    "residual": RESIDUAL,
    "maxpool": MAXPOOL,
    "depthwise_relu6": DEPTHWISE_RELU6,
    "shared_weights": SHARED_WEIGHTS,
    "nhwc": NHWC,
    "leaky": LEAKY,
    "branches": BRANCHES,
    "upsample": UPSAMPLE,
    "torchscript_shortcut": TORCHSCRIPT_SHORTCUT,
    "fixed_batch": FIXED_BATCH,
}

# Runs in float32 only: ONNX Runtime has some of its operators in no other precision.
FLOAT_NETS = NETS | {"composites": COMPOSITES}


def build(text: str, *, seed: int = 0, header: str = HEADER) -> onnx.ModelProto:
    """The model of a text, with seeded values for every weight it declares."""
    model = onnx.parser.parse_model(header + text)
    rng = np.random.default_rng(seed)
    for weight in model.graph.value_info:
        kind = weight.type.tensor_type
        shape = [dim.dim_value for dim in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        fan_in = max(1, int(np.prod(shape[1:])))
        values = rng.normal(0.2, 1.0 / np.sqrt(fan_in), shape)
        if "var" in weight.name:
            values = rng.uniform(0.5, 2.0, shape)
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(np.asarray(values, dtype), weight.name)
        )
    del model.graph.value_info[:]
    return model

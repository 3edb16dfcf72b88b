"""RMSNorm: y = scale x / sqrt(mean(x^2) + epsilon), the mean over the last axis.

Opset 23 has it as RMSNormalization, opset 21 has not.
Source: Zhang and Sennrich 2019.
"""

from onnx2snn.converter.ann_functions.base import ann_function

RMS_NORM = ann_function("""
RMSNorm <epsilon> (x, scale) => (y) {
  small = Constant <value_float: float = @epsilon> ()
  last = Constant <value_ints = [-1]> ()
  square = Mul (x, x)
  mean = ReduceMean <keepdims = 1> (square, last)
  shifted = Add (mean, small)
  size = Sqrt (shifted)
  normal = Div (x, size)
  y = Mul (normal, scale)
}
""")

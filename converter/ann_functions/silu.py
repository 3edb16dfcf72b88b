"""Silu: y = x sigmoid(alpha x); SiLU (Swish) for alpha = 1, QuickGELU for alpha = 1.702.

Opset 24 has it as Swish, opset 21 has not.
"""

from onnx2snn.converter.ann_functions.base import ann_function

SILU = ann_function("""
Silu <alpha> (x) => (y) {
  slope = Constant <value_float: float = @alpha> ()
  scaled = Mul (x, slope)
  gate = Sigmoid (scaled)
  y = Mul (x, gate)
}
""")

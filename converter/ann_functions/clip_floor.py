"""ClipFloor (QCFS): the stepped ReLU an integrate-and-fire neuron computes exactly.

    y = theta/L clip(floor(x L/theta + 1/2), 0, L)

Source: Bu et al., ICLR 2022 (QCFS), with theta = lambda and shift 1/2.
"""

from onnx2snn.converter.ann_functions.base import ann_function

CLIP_FLOOR = ann_function("""
ClipFloor <levels> (x, threshold) => (y) {
  count = Constant <value_int: int = @levels> ()
  highest = Cast <to = 1> (count)
  lowest = Constant <value_float = 0.0> ()
  half = Constant <value_float = 0.5> ()
  step = Div (threshold, highest)
  scaled = Div (x, step)
  shifted = Add (scaled, half)
  floored = Floor (shifted)
  steps = Clip (floored, lowest, highest)
  y = Mul (steps, step)
}
""")

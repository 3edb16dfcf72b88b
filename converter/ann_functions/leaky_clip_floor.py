"""LeakyClipFloor: the stepped LeakyReLU that a neuron with signed spikes computes exactly.

    y = theta/L clip(floor(z L/theta + 1/2), -M, L),   z = max(x, 0) + alpha min(x, 0)

In terms of thresholds: a positive step every theta/L of x, a negative one every theta/(alpha L).
Source: LeakyClipFloor (LCF -> BIF); double thresholds, Yu et al. 2022.
"""

from onnx2snn.converter.ann_functions.base import ann_function

LEAKY_CLIP_FLOOR = ann_function("""
LeakyClipFloor <levels, negative_levels, alpha> (x, threshold) => (y) {
  count = Constant <value_int: int = @levels> ()
  highest = Cast <to = 1> (count)
  negative_count = Constant <value_int: int = @negative_levels> ()
  below = Cast <to = 1> (negative_count)
  lowest = Neg (below)
  half = Constant <value_float = 0.5> ()
  leaky = LeakyRelu <alpha: float = @alpha> (x)
  step = Div (threshold, highest)
  scaled = Div (leaky, step)
  shifted = Add (scaled, half)
  floored = Floor (shifted)
  steps = Clip (floored, lowest, highest)
  y = Mul (steps, step)
}
""")

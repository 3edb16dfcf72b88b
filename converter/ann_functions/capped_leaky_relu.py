"""CappedLeakyRelu: the symmetric threshold LeakyReLU (sthLeakyReLU).

    y = clip(max(x, 0) + alpha min(x, 0), -cap, cap)

A neuron with signed spikes and a double threshold computes it: v_p : v_n = alpha, and the rate of
either sign is at most one spike a timestep, which is cap.
Source: He et al., Computer Measurement and Control 32(11), 2024, eq. 13.
"""

from onnx2snn.converter.ann_functions.base import ann_function

CAPPED_LEAKY_RELU = ann_function("""
CappedLeakyRelu <alpha, cap> (x) => (y) {
  highest = Constant <value_float: float = @cap> ()
  lowest = Neg (highest)
  leaky = LeakyRelu <alpha: float = @alpha> (x)
  y = Clip (leaky, lowest, highest)
}
""")

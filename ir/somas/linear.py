"""The linear soma f(z) = z: with bounds on the count it gives ReLU, ReLU6, Clip and identity."""

from onnx2snn.ir.somas.base import Soma

LINEAR = Soma(
    name="",
    parameters=(),
    homogeneous=True,
    monotone=True,
    evaluate=lambda z, _parameters: z,
    nodes="",
)

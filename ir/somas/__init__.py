"""Soma functions: what a neuron applies to its accumulated input before it compares and fires."""

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.somas.clip import CLIP
from onnx2snn.ir.somas.elu import ELU
from onnx2snn.ir.somas.gelu import GELU
from onnx2snn.ir.somas.gelu_tanh import GELU_TANH
from onnx2snn.ir.somas.hard_sigmoid import HARD_SIGMOID
from onnx2snn.ir.somas.hard_swish import HARD_SWISH
from onnx2snn.ir.somas.linear import LINEAR
from onnx2snn.ir.somas.mish import MISH
from onnx2snn.ir.somas.prelu import PRELU
from onnx2snn.ir.somas.sigmoid import SIGMOID
from onnx2snn.ir.somas.silu import SILU
from onnx2snn.ir.somas.softplus import SOFTPLUS
from onnx2snn.ir.somas.softsign import SOFTSIGN
from onnx2snn.ir.somas.tanh import TANH
from onnx2snn.ir.somas.thresholded_relu import THRESHOLDED_RELU

SOMAS: tuple[Soma, ...] = (
    *(LINEAR, PRELU, CLIP),
    *(SILU, HARD_SWISH, GELU, GELU_TANH, MISH),
    *(SIGMOID, HARD_SIGMOID, TANH, SOFTSIGN),
    *(ELU, SOFTPLUS, THRESHOLDED_RELU),
)

__all__ = [
    "CLIP",
    "ELU",
    "GELU",
    "GELU_TANH",
    "HARD_SIGMOID",
    "HARD_SWISH",
    "LINEAR",
    "MISH",
    "PRELU",
    "SIGMOID",
    "SILU",
    "SOFTPLUS",
    "SOFTSIGN",
    "SOMAS",
    "TANH",
    "THRESHOLDED_RELU",
    "Soma",
]

"""Soma functions: what a neuron applies to its accumulated input before it compares and fires."""

from onnx2snn.ir.somas.base import Soma
from onnx2snn.ir.somas.linear import LINEAR
from onnx2snn.ir.somas.prelu import PRELU

SOMAS: tuple[Soma, ...] = (LINEAR, PRELU)

__all__ = ["LINEAR", "PRELU", "SOMAS", "Soma"]

"""The operators of the canonical ANN in PyTorch, so that gradients flow through them.

Before anything is trained the network is judged against onnxruntime
(:mod:`onnx2snn.converter.finetuning.network`): an operator whose torch form differs in some corner
of its attributes stops the fine-tuning, it does not change the network.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx2snn.converter.finetuning.operators.base import Attributes, Operands, Operator
from onnx2snn.converter.finetuning.operators.moves import MOVES
from onnx2snn.converter.finetuning.operators.normalisation import NORMALISATION
from onnx2snn.converter.finetuning.operators.pointwise import POINTWISE
from onnx2snn.converter.finetuning.operators.products import PRODUCTS
from onnx2snn.converter.finetuning.operators.staircases import STAIRCASES
from onnx2snn.converter.finetuning.operators.windows import WINDOWS

OPERATORS: Mapping[str, Operator] = {
    **WINDOWS,
    **PRODUCTS,
    **NORMALISATION,
    **MOVES,
    **POINTWISE,
    **STAIRCASES,
}
"""By ``op_type``; no two domains of the canonical ANN share a name that differs in meaning."""

__all__ = ["OPERATORS", "Attributes", "Operands", "Operator"]

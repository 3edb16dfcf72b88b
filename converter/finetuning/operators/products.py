"""Matrix products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from onnx2snn.converter.finetuning.operators.base import (
    Attributes,
    Operands,
    Operator,
    optional,
)


def _gemm(operands: Operands, attributes: Attributes) -> Any:
    a = operands[0].t() if attributes.get("transA", 0) else operands[0]
    b = operands[1].t() if attributes.get("transB", 0) else operands[1]
    product = attributes.get("alpha", 1.0) * (a @ b)
    bias = optional(operands, 2)
    return product if bias is None else product + attributes.get("beta", 1.0) * bias


PRODUCTS: Mapping[str, Operator] = {
    "Gemm": _gemm,
    "MatMul": lambda operands, _: operands[0] @ operands[1],
    "Einsum": lambda operands, a: torch.einsum(a["equation"], *operands),
}

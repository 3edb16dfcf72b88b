"""Functions of the canonical ANN, one file each; the tuple is the default table."""

from __future__ import annotations

import onnx

from onnx2snn.converter.ann_functions.base import ANN_DOMAIN, attach, inline, is_ann
from onnx2snn.converter.ann_functions.capped_leaky_relu import CAPPED_LEAKY_RELU
from onnx2snn.converter.ann_functions.clip_floor import CLIP_FLOOR
from onnx2snn.converter.ann_functions.leaky_clip_floor import LEAKY_CLIP_FLOOR
from onnx2snn.converter.ann_functions.rms_norm import RMS_NORM
from onnx2snn.converter.ann_functions.silu import SILU

ANN_FUNCTIONS: tuple[onnx.FunctionProto, ...] = (
    CLIP_FLOOR,
    LEAKY_CLIP_FLOOR,
    CAPPED_LEAKY_RELU,
    SILU,
    RMS_NORM,
)

__all__ = [
    "ANN_DOMAIN",
    "ANN_FUNCTIONS",
    "CAPPED_LEAKY_RELU",
    "CLIP_FLOOR",
    "LEAKY_CLIP_FLOOR",
    "RMS_NORM",
    "SILU",
    "attach",
    "inline",
    "is_ann",
]

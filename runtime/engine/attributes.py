"""Attributes of ONNX nodes as Python values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import helper


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def window(given: dict[str, Any], kernel: Sequence[int]) -> tuple[int, ...] | None:
    """Return kernel, strides, dilations, pads before and after for two axes; None if not fixed.

    One axis is the second of two: a signal is an image of height 1.
    """
    ndim = len(kernel)
    if ndim not in (1, 2) or given.get("auto_pad", b"NOTSET") not in (b"NOTSET", "NOTSET"):
        return None
    ones = [1] * ndim
    pads = list(given.get("pads") or [0] * (2 * ndim))
    parts = (
        (list(kernel), 1),
        (list(given.get("strides") or ones), 1),
        (list(given.get("dilations") or ones), 1),
        (pads[:ndim], 0),
        (pads[ndim:], 0),
    )
    numbers = [number for part, fill in parts for number in [fill] * (2 - ndim) + part]
    return tuple(numbers) if min(numbers) >= 0 else None

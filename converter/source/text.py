"""Names and documentation must be UTF-8: for other bytes protobuf hands out bytes, not text.

Code that expects text would stop on them somewhere, so they are refused first.
"""

from __future__ import annotations

from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor

from onnx2snn.ir.findings import Finding


def check_text(model: onnx.ModelProto) -> list[Finding]:
    """Return a finding if any text of the model cannot be read."""
    broken = _broken(model)
    if broken is None:
        return []
    return [
        Finding(
            code="bad-text",
            message=f"a text in a {broken} is no UTF-8",
            severity="error",
            remedy="export the model again; names are text",
        )
    ]


def _broken(message: Any) -> str | None:
    """Return the type of the first message with a text that is none."""
    if isinstance(message, onnx.TensorProto):  # its values may be large: they are not touched
        texts: list[Any] = [message.name, message.doc_string]
        if any(isinstance(text, bytes) for text in texts):
            return "TensorProto"
        return next((found for found in map(_broken, message.external_data) if found), None)
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            several = not isinstance(value, str | bytes)
            texts = list(value) if several else [value]
            if any(isinstance(text, bytes) for text in texts):
                return str(message.DESCRIPTOR.name)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            parts = [value] if hasattr(value, "ListFields") else value
            found = next((found for found in map(_broken, parts) if found), None)
            if found is not None:
                return found
    return None

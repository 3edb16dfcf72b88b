"""Every input gets a fixed shape but for its batch axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from onnx2snn.converter.graph.shapes import BATCH
from onnx2snn.ir.errors import InvalidModelError
from onnx2snn.ir.findings import Finding


def fix_input_shapes(
    model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]
) -> onnx.ModelProto:
    """A copy in which all input lengths are numbers, and open first axes are the batch ``N``.

    Args:
        model: left as it is.
        shapes: by input name, for the lengths that the model leaves open.

    Raises:
        InvalidModelError: a length is neither in the model nor given, or the two disagree.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    findings = []
    unknown = set(shapes) - {item.name for item in fixed.graph.input}
    for name in sorted(unknown):
        findings.append(_finding(f"the model has no input '{name}'", "name one of its inputs"))
    for item in fixed.graph.input:
        findings += _fix(item, shapes.get(item.name))
    if findings:
        raise InvalidModelError("the input shapes are not settled", findings=findings)
    return fixed


def _fix(item: onnx.ValueInfoProto, given: Sequence[int] | None) -> list[Finding]:
    kind = item.type.tensor_type
    if not item.type.HasField("tensor_type"):
        return [_finding(f"input '{item.name}' is no tensor", "export it with tensors as inputs")]
    if not kind.HasField("shape"):
        if given is None:
            return [_open(item.name, "")]
        for _ in given:
            kind.shape.dim.add()
    dims = kind.shape.dim
    if given is not None and len(given) != len(dims):
        return [
            _finding(
                f"input '{item.name}' has {len(dims)} axes, the given shape {len(given)}",
                "give one length per axis",
            )
        ]
    findings = []
    for axis, dim in enumerate(dims):
        known = dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        asked = int(given[axis]) if given is not None else None
        if known is None and axis == 0:
            dim.dim_param = BATCH
        elif known is None and asked is None:
            findings.append(_open(item.name, f" {axis} ('{dim.dim_param}')"))
        elif known is None and asked is not None:
            dim.dim_value = asked
        elif axis and asked not in (None, known):
            findings.append(
                _finding(
                    f"axis {axis} of input '{item.name}' is {known}, not {asked}",
                    "give the shape that the model was exported with",
                )
            )
    return findings


def _open(name: str, axis: str) -> Finding:
    return _finding(
        f"the model leaves axis{axis or ' number and lengths'} of input '{name}' open",
        "give input_shapes, e.g. {'" + name + "': (1, 3, 224, 224)}, or calibration samples",
    )


def _finding(message: str, remedy: str) -> Finding:
    return Finding(code="input-shape", message=message, severity="error", remedy=remedy)

"""The body of a chunk of timesteps, of any operator: a Scan over its step body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import parser

from onnx2snn.ir.ops.domain import DOMAIN, DOMAIN_VERSION, OPSET

if TYPE_CHECKING:
    from onnx2snn.ir.ops.base import SpikingOp

_POOL = {name: "ints" for name in ("kernel_shape", "strides", "pads", "dilations")}


def chunk_function(op: SpikingOp) -> onnx.FunctionProto:
    """Return the function ``X_Chunk``, which needs ``X_Step`` in the same model.

    States pass the Scan flat, and so does the output with its shape: older onnxruntime needs to
    know the ranks.
    """
    declared, passed = _attributes(op)
    before = {name: f"{name}_before" for name in op.state} | {"x": "i"}
    called = ", ".join(before.get(name, name) for name in op.step_inputs)

    def each(pattern: str) -> str:
        return "".join(pattern.format(s=name) for name in op.state)

    return parser.parse_function(f"""
<domain: "{DOMAIN}", opset_import: ["": {OPSET}, "{DOMAIN}": {DOMAIN_VERSION}]>
{op.chunk_name} {declared} ({", ".join(op.chunk_inputs)}) => (y{each(", {s}_next")}) {{
  rest = Constant <value_ints = [-1]> ()
  steps = Shape (clock)
  rows = Shape <start = 0, end = 1> (x)
  batch = Div (rows, steps)
  features = Shape <start = 1> (x)
  x_shape = Concat <axis = 0> (batch, features)
  unfolded = Concat <axis = 0> (steps, rest)
  xs = Reshape (x, unfolded)
  {each("{s}_shape = Shape ({s})   {s}_flat = Reshape ({s}, rest)   ")}
  {each("{s}_last, ")}emitted, shapes = Scan <num_scan_inputs = 2, body = timestep
    ({each("float[?] {s}_in, ")}float[?] i_flat, int64 t)
    => ({each("float[?] {s}_out, ")}float[?] y_flat, int64[?] y_shape) {{
      i = Reshape (i_flat, x_shape)
      {each("{s}_before = Reshape ({s}_in, {s}_shape)   ")}
      y_step{each(", {s}_after")} = {DOMAIN}.{op.step_name} {passed} ({called})
      {each("{s}_out = Reshape ({s}_after, rest)   ")}
      y_flat = Reshape (y_step, rest)
      y_shape = Shape (y_step)
    }}> ({each("{s}_flat, ")}xs, clock)
  {each("{s}_next = Reshape ({s}_last, {s}_shape)   ")}
  zero = Constant <value_int = 0> ()
  first = Gather <axis = 0> (shapes, zero)
  one = Constant <value_ints = [1]> ()
  end = Constant <value_ints = [9223372036854775807]> ()
  y_features = Slice (first, one, end)
  folded = Concat <axis = 0> (rows, y_features)
  y = Reshape (emitted, folded)
}}""")


def _attributes(op: SpikingOp) -> tuple[str, str]:
    """Return ONNX text of the attributes of X_Chunk, and of those handed on to X_Step."""
    pool = (_POOL | {"ceil_mode": "int"}) if "kernel_shape" in op.step_body().attribute else {}
    declared = [*pool, *(f"{name}: float = {value}" for name, value in op.attributes.items())]
    kinds = pool | dict.fromkeys(op.attributes, "float")
    passed = [f"{name}: {kind} = @{name}" for name, kind in kinds.items()]
    if not declared:
        return "", ""
    return f"<{', '.join(declared)}>", f"<{', '.join(passed)}>"

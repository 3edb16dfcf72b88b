"""The shapes of streams at one timestep, as far as ONNX shape inference knows them."""

from __future__ import annotations

from onnx import shape_inference

from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.model import SpikingModel

Dims = list[int | str | None]


def stream_shapes(model: SpikingModel) -> dict[str, Dims]:
    """Return by tensor the dimensions [N, *F]: sizes, names, or None where open.

    Tensors of unknown rank are left out.
    """
    graph = shape_inference.infer_shapes(settle(model)).graph
    shapes: dict[str, Dims] = {}
    for value in (*graph.value_info, *graph.input, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape"):
            shapes[value.name] = [
                dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None)
                for dim in tensor.shape.dim
            ]
    return shapes

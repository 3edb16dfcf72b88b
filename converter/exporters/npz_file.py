"""All numbers of a spiking network in one .npz file, with an index in JSON; no pickle."""

from __future__ import annotations

import io
import json
from typing import Any, ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.converter.exporters.base import Exported, Exporter
from onnx2snn.converter.unit_spikes.normalise import normalise_to_unit_spikes
from onnx2snn.ir.errors import ExportError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, spiking_op

_FORMAT = 1


class NpzFile(Exporter):
    """Weights, thresholds and currents by layer, for code and chips of your own."""

    name: ClassVar[str] = "npz"
    suffix: ClassVar[str] = ".npz"
    summary: ClassVar[str] = "folded weights, thresholds and currents by layer, with an index"

    def export(self, model: SpikingModel, target: str | None) -> Exported:
        """Return the .npz file.

        Raises:
            ExportError: a target was named; there are none.
        """
        if target:
            raise ExportError("an npz file has no targets", remedy="leave --target out")
        unit, findings = _unit(model)
        arrays, layers = _layers(unit, model)
        index = {
            "format": _FORMAT,
            "producer": model.manifest.producer,
            "source": model.manifest.source.model_dump(),
            "unit_spikes": not findings,
            "timesteps": model.manifest.timesteps,
            "stimulus": model.stimulus_steps(model.manifest.timesteps),
            "inputs": list(model.inputs),
            "outputs": list(model.outputs),
            "layers": layers,
        }
        arrays["index"] = np.array(json.dumps(index, indent=1))
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        rows = tuple(
            (str(layer["name"]), str(layer["op"]), _shape(layer, arrays)) for layer in layers
        )
        return Exported(content=stream.getvalue(), findings=findings, layers=rows)


def _unit(model: SpikingModel) -> tuple[SpikingModel, tuple[Finding, ...]]:
    """Return the unit-spike form, or the model itself where a soma forbids it."""
    try:
        return normalise_to_unit_spikes(model), ()
    except ExportError as error:
        told = Finding(
            code="no-unit-spikes",
            message=f"weights are those of the ANN, spikes carry their threshold: {error.message}",
        )
        return model, (told,)


def _layers(
    unit: SpikingModel, model: SpikingModel
) -> tuple[dict[str, NDArray[Any]], list[dict[str, Any]]]:
    """Return the arrays by key, and what the index says of each node."""
    thresholds = {layer.output: layer.quantum for layer in model.neurons}
    values = unit.initializers
    arrays: dict[str, NDArray[Any]] = {}
    layers: list[dict[str, Any]] = []
    for number, node in enumerate(unit.plain.graph.node):
        named = {
            role: values[name]
            for role, name in zip(_roles(node), node.input, strict=False)
            if name in values and name != unit.timesteps_input
        }
        if node.output[0] in thresholds and "quantum" in named:
            named["threshold"] = thresholds[node.output[0]]
        keys = {role: f"{number}.{node.op_type}.{role}" for role in named}
        arrays.update({keys[role]: value for role, value in named.items()})
        layers.append(
            {
                "name": node.name or node.output[0],
                "op": f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
                "inputs": [name for name in node.input if name and name not in values],
                "outputs": list(node.output),
                "attributes": {
                    a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute
                },
                "arrays": keys,
            }
        )
    return arrays, layers


def _roles(node: onnx.NodeProto) -> tuple[str, ...]:
    """Return what the inputs of a node are called."""
    if node.domain == DOMAIN:
        return spiking_op(node).inputs
    if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
        return ("x", "weight", "bias")
    if node.op_type in ("MatMul", "Mul", "Div", "Einsum"):
        return ("weight", "weight")
    return tuple(f"input_{position}" for position in range(len(node.input)))


def _shape(layer: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> tuple[int, ...]:
    """Return the shape of a layer's weight, or of its thresholds."""
    for role in ("weight", "threshold"):
        if role in layer["arrays"]:
            return tuple(arrays[layer["arrays"][role]].shape)
    return ()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, onnx.TensorProto | onnx.GraphProto):
        return type(value).__name__
    return list(value) if not isinstance(value, int | float | str) else value

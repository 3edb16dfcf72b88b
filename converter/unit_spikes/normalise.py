"""Unit spikes: every neuron gets threshold 1 and emits +-1; the weights take the thresholds in.

    W' = W theta_in / theta_out        c' = c / theta_out        theta' = 1

(Rueckauer et al. 2017, eq. 6; Hu, Tang, Pan 2018, sec. 3.) A spike of a converted net carries its
threshold as amplitude; hardware and most formats know unit spikes only. A tensor of the unit net is
the tensor of the given net divided by its *scale*, an array that broadcasts to it: the threshold
behind a neuron, 1 behind an input. Synapses divide their weights by the scale that the next neuron
wants, reshapes move the scale along, and where two scales meet (the identity shortcut of a residual
block) a ``Mul`` by a constant per channel, a scaled 1x1 synapse, reconciles them. Read-outs work on
scale 1.

Law: the spike trains are those of the given net, up to float32 rounding at the threshold.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnx2snn.converter.judging.stream_sizes import stream_sizes
from onnx2snn.converter.unit_spikes.scales import (
    ONE,
    Scale,
    carried,
    is_uniform_per_channel,
    same,
    wanted_scales,
)
from onnx2snn.converter.unit_spikes.synapses import scaled_weight
from onnx2snn.ir.derive.parts import assemble
from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.errors import ExportError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.grammar import check_grammar, tensor_kinds
from onnx2snn.ir.manifest import MANIFEST_KEY
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import (
    DOMAIN,
    GatedMaxPool,
    IncrementMaxPool,
    MembraneMaxPool,
    Neuron,
    RunningReadOut,
    spiking_op,
)

PREFIX = "onnx2snn/unit/"
_SUMS = ("Add", "Sub", "Sum", "Mean")


def normalise_to_unit_spikes(model: SpikingModel) -> SpikingModel:
    """Return the same spiking network with all thresholds 1.

    Args:
        model: a spiking model of any alphabet; it is not changed.

    Raises:
        ExportError: a neuron's soma is not scale-free (a sigmoid, say), so its threshold cannot
            move into the weights; the findings name every such neuron.
    """
    _refuse_fixed_somas(model)
    plain = model.plain
    unit = _Rewriter(model)
    unit.rewrite()
    ends = (plain.graph.input, plain.graph.output)
    fresh = assemble(plain, unit.nodes, *ends, plain.functions, unit.constants)
    fresh.graph.value_info.extend((*plain.graph.value_info, *unit.declared))
    fresh.producer_version = plain.producer_version
    fresh.doc_string = plain.doc_string
    told = Finding(
        code="unit-spikes",
        message="thresholds are folded into the weights: every neuron emits units, threshold 1",
    )
    manifest = model.manifest
    changed = manifest.model_copy(
        update={"findings": (*manifest.findings, told), "layout": "folded"}
    )
    helper.set_model_props(fresh, {MANIFEST_KEY: changed.model_dump_json()})
    check_grammar(fresh)
    folded = SpikingModel(fresh, model.weights)
    return to_scan(folded) if manifest.layout == "scan" else folded


def _refuse_fixed_somas(model: SpikingModel) -> None:
    fixed = [layer for layer in model.neurons if not layer.op.soma.homogeneous]
    if fixed:
        raise ExportError(
            f"{len(fixed)} neuron layer(s) cannot have unit thresholds",
            remedy="use a network of ReLU, ClipFloor or LeakyReLU activations",
            findings=[
                Finding(
                    code="fixed-soma",
                    severity="error",
                    message=f"the soma function {layer.op.soma.name} is not scale-free",
                    node=layer.name,
                    op=layer.op.name,
                )
                for layer in fixed
            ],
        )


class _Rewriter:
    """Walks the graph once, in order, and keeps the scale of every stream."""

    def __init__(self, model: SpikingModel) -> None:
        self._graph = model.plain.graph
        self._values = dict(model.initializers)
        kinds = tensor_kinds(self._graph)
        self._streams = {name for name, kind in kinds.items() if kind == "stream"}
        self._sizes = stream_sizes(model, sorted(self._streams))
        self._wanted = wanted_scales(self._graph, self._streams, self._values)
        self._scales: dict[str, Scale] = {}
        self._declared = {value.name: value for value in self._graph.value_info}
        self.nodes: list[onnx.NodeProto] = []
        self.declared: list[onnx.ValueInfoProto] = []
        self.constants: list[onnx.TensorProto] = []

    def rewrite(self) -> None:
        """Fill ``nodes``, ``constants`` and ``declared``."""
        for node in self._graph.node:
            fresh = onnx.NodeProto()
            fresh.CopyFrom(node)
            if node.domain == DOMAIN:
                self._spiking(fresh)
            elif any(name in self._streams for name in (*node.input, *node.output)):
                self._linear(fresh)
            self.nodes.append(fresh)

    def _spiking(self, node: onnx.NodeProto) -> None:
        op = spiking_op(node)
        named = dict(zip(op.inputs, range(len(node.input)), strict=True))
        if isinstance(op, Neuron):
            quantum = self._constant(node.input[named["quantum"]])
            self._bring(node, 0, quantum)
            self._divide(node, named["current"], quantum)
            self._divide(node, named["quantum"], quantum)
            self._scales[node.output[0]] = quantum
        elif isinstance(op, IncrementMaxPool):
            quantum = self._constant(node.input[named["quantum"]])
            self._bring(node, 0, quantum)
            self._divide(node, named["quantum"], quantum)
            self._scales[node.output[0]] = quantum
        elif isinstance(op, MembraneMaxPool | GatedMaxPool):
            scale = self._scale(node.input[0])
            if not is_uniform_per_channel(scale):
                scale = self._bring(node, 0, ONE)
            if "current" in named:
                self._divide(node, named["current"], scale)
            self._scales[node.output[0]] = scale
        elif node.input[0] in self._streams:
            self._bring(node, 0, ONE)
            if not isinstance(op, RunningReadOut):
                self._scales[node.output[0]] = ONE

    def _linear(self, node: onnx.NodeProto) -> None:
        inputs = [name in self._streams for name in node.input]
        scales = [
            self._scale(name) if stream else None
            for name, stream in zip(node.input, inputs, strict=True)
        ]
        wanted = self._wanted.get(node.output[0], ONE)
        weighted = scaled_weight(node, scales, self._values, wanted)
        if weighted is not None:
            name = self._new(node, weighted.position, weighted.value)
            node.input[weighted.position] = name
            self._scales[node.output[0]] = weighted.scale
        elif node.op_type in _SUMS:
            self._meet(node, wanted)
        else:
            known = [scale for scale in scales if scale is not None]
            outputs = carried(node, scales, self._values, self._sizes)
            if outputs is None and any(not same(scale, ONE) for scale in known):
                for position, stream in enumerate(inputs):
                    if stream:
                        self._bring(node, position, ONE)
            for index, name in enumerate(node.output):
                self._scales[name] = ONE if outputs is None else outputs[index]

    def _meet(self, node: onnx.NodeProto, wanted: Scale) -> None:
        """Give all summands one scale: their own if they agree, else the wanted one."""
        scales = [self._scale(name) for name in node.input]
        target = scales[0] if all(same(scales[0], scale) for scale in scales) else wanted
        for position in range(len(node.input)):
            self._bring(node, position, target)
        self._scales[node.output[0]] = target

    def _bring(self, node: onnx.NodeProto, position: int, target: Scale) -> Scale:
        """Make one input of a node arrive at a scale: by a ``Mul`` unless it has it already."""
        name = node.input[position]
        scale = self._scale(name)
        if same(scale, target):
            return target
        factor = np.asarray(scale / target, np.float64)
        if factor.ndim == 0:
            factor = factor.reshape([1] * len(self._sizes[name]))
        constant = self._new(node, position, factor)
        output = f"{constant}/scaled"
        self._scales[output] = target
        self._sizes[output] = self._sizes[name]
        self.nodes.append(helper.make_node("Mul", [name, constant], [output], name=output))
        node.input[position] = output
        if name in self._declared:
            value = onnx.ValueInfoProto()
            value.CopyFrom(self._declared[name])
            value.name = output
            self.declared.append(value)
        return target

    def _scale(self, name: str) -> Scale:
        return self._scales.get(name, ONE)

    def _constant(self, name: str) -> Scale:
        return np.asarray(self._values[name], np.float64)

    def _divide(self, node: onnx.NodeProto, position: int, scale: Scale) -> None:
        value = np.asarray(self._constant(node.input[position]) / scale)
        node.input[position] = self._new(node, position, value)

    def _new(self, node: onnx.NodeProto, position: int, value: NDArray[np.float64]) -> str:
        """Add a constant named after the node that reads it; return its name."""
        name = f"{PREFIX}{node.output[0]}/{position}"
        self.constants.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

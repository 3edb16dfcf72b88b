"""Draw: a spiking model with unit spikes becomes a unit network."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.converter.exporters.arrive import arrive
from onnx2snn.converter.exporters.draw_linear import Canvas, draw_linear
from onnx2snn.converter.exporters.draw_parts import InexpressibleError, PartMaker, windows
from onnx2snn.converter.exporters.flows import whole
from onnx2snn.converter.exporters.losses import layer_losses, max_pool_loss, model_losses
from onnx2snn.converter.exporters.profiles import Profile
from onnx2snn.converter.exporters.unit_network import Drawing, Kind, Part, UnitNetwork
from onnx2snn.converter.judging.stream_sizes import stream_sizes
from onnx2snn.ir.derive.parts import split_parts
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.grammar import tensor_kinds
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import (
    DOMAIN,
    DirectCurrent,
    FirstSpike,
    GatedMaxPool,
    IncrementMaxPool,
    LeakyIntegrateFire,
    MembraneMaxPool,
    Neuron,
    PoissonSpikes,
    RunningReadOut,
    SpikingOp,
    TemporalBias,
    spiking_op,
)


def draw(unit: SpikingModel, profile: Profile) -> UnitNetwork:
    """Draw a spiking model whose thresholds are all 1.

    What cannot be drawn is left out and told by findings of severity ``error``.

    Raises:
        ExportError: the sizes of the layers cannot be found.
    """
    return _Artist(unit, profile).network()


_CODE = "a code of the input; convert with input_coding='bit-planes' and code it on the target"
_INEXPRESSIBLE: tuple[tuple[type[SpikingOp], str], ...] = (
    (TemporalBias, "a current that changes with the timestep"),
    (PoissonSpikes, _CODE),
    (FirstSpike, _CODE),
    (LeakyIntegrateFire, "a leaky read-out; convert with read_out='spike-count' or 'current'"),
)
"""Operators that no target has, and what to do."""


class _Artist:
    """Walks the graph in order and keeps the flow of every stream."""

    def __init__(self, unit: SpikingModel, profile: Profile) -> None:
        self._model = unit
        self._profile = profile
        self._nodes = split_parts(unit.plain.graph).body
        kinds = tensor_kinds(unit.plain.graph)
        streams = {name for name, kind in kinds.items() if kind == "stream"}
        self._drawing = Drawing()
        self._canvas = Canvas(
            maker=PartMaker(self._drawing, profile),
            values=unit.initializers,
            streams=streams,
            sizes=stream_sizes(unit, sorted(streams)),
            readers=Counter(name for node in self._nodes for name in node.input),
        )
        self._inputs: dict[str, str] = {}
        self._outputs: dict[str, str] = {}
        self._findings: list[Finding] = []
        self._timesteps = unit.stimulus_steps(unit.manifest.timesteps)

    def network(self) -> UnitNetwork:
        """Draw all nodes; those behind one that cannot be drawn are left out, too."""
        canvas = self._canvas
        for node in self._nodes:
            if all(n in canvas.flows for n in node.input if n in canvas.streams):
                try:
                    self._draw(node)
                except InexpressibleError as error:
                    self._findings.append(_refusal(node, str(error)))
        return UnitNetwork(
            parts=self._drawing.parts,
            edges=tuple(self._drawing.edges),
            inputs=self._inputs,
            outputs=self._outputs,
            timesteps=self._timesteps,
            findings=(*canvas.notes, *self._findings, *model_losses(self._model, self._profile)),
        )

    def _draw(self, node: onnx.NodeProto) -> None:
        if node.domain != DOMAIN:
            draw_linear(self._canvas, node)
            return
        op = spiking_op(node)
        if isinstance(op, DirectCurrent):
            self._input(node)
        elif isinstance(op, Neuron):
            self._neuron(node, op)
        elif isinstance(op, RunningReadOut):
            self._read_out(node)
        elif isinstance(op, IncrementMaxPool | MembraneMaxPool | GatedMaxPool):
            self._max_pool(node)
        else:
            reasons = (reason for kind, reason in _INEXPRESSIBLE if isinstance(op, kind))
            raise InexpressibleError(
                f"{op.name}: {next(reasons, 'the lift of a non-linear operator')}"
            )

    def _input(self, node: onnx.NodeProto) -> None:
        name = node.input[0]
        shape = self._canvas.sizes[node.output[0]][1:]
        part = self._drawing.add(Part(name, "input", shape, node.name))
        self._inputs[name] = part
        self._canvas.keep(node.output[0], (whole(part, shape, exclusive=False),))

    def _neuron(self, node: onnx.NodeProto, op: Neuron) -> None:
        step, flow = self._canvas.step(node), self._canvas.flows[node.input[0]]
        encodes = all(self._drawing.parts[term.part].kind == "input" for term in flow)
        if encodes and op.alphabet == "graded":
            self._canvas.keep(node.output[0], flow)
            return
        self._findings += layer_losses(node, op)
        start = step.number("initial_potential", op.attributes.get("initial_potential", 0.5))
        current = self._canvas.constant(node, op.inputs.index("current"))
        name = self._arrive(node, node.name, "neuron", current + start / self._timesteps)
        self._canvas.keep(node.output[0], (whole(name, step.outer, exclusive=False),))

    def _read_out(self, node: onnx.NodeProto) -> None:
        share = 1.0 / self._timesteps
        source = node.input[0]
        self._canvas.flows[source] = tuple(t.scaled(share) for t in self._canvas.flows[source])
        current = self._canvas.constant(node, 1) * share
        label = node.output[0]
        self._outputs[label] = self._arrive(node, label, "output", current)

    def _arrive(
        self, node: onnx.NodeProto, label: str, kind: Kind, current: NDArray[np.float64]
    ) -> str:
        shape = self._canvas.sizes[node.input[0]][1:]
        flow = self._canvas.flows[node.input[0]]
        weighted = kind == "output"
        last, findings = arrive(self._canvas.maker, label, flow, shape, current, weighted=weighted)
        self._findings += findings
        return self._drawing.add(Part(label, kind, shape, node.name), list(dict.fromkeys(last)))

    def _max_pool(self, node: onnx.NodeProto) -> None:
        step = self._canvas.step(node)
        if node.op_type == "MembraneMaxPool" and np.any(self._canvas.constant(node, 1)):
            raise InexpressibleError("a constant current in front of a max-pool")
        self._findings.append(max_pool_loss(node))
        area = windows(step, step.numbers("kernel_shape", ()))
        terms = self._canvas.flows[node.input[0]]
        pooled = [self._canvas.maker.pool(step, term, area, False) for term in terms]
        self._canvas.keep(node.output[0], tuple(pooled))


def _refusal(node: onnx.NodeProto, reason: str) -> Finding:
    return Finding(
        code="inexpressible",
        severity="error",
        message=reason,
        node=node.name or node.output[0],
        op=node.op_type,
    )

"""Lowering a spiking graph to fused layers over events.

Walks the graph once. A linear operator on spikes is not written down at once: it is remembered as
terms of the sum it is part of. When a neuron receives that sum, the sum and the neuron become one
``Layer``; when anything else receives it, it becomes ``Currents``, an ordinary tensor. Nodes the
engine has no form for stay as they are and run in onnxruntime, with ``Decode`` in front of them
where their input is spikes: so every model runs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnx2snn.ir.derive.parts import names_read, upstream
from onnx2snn.ir.ops import DOMAIN, OPS, Neuron
from onnx2snn.ir.stored_weights import WeightFile, tensor_values
from onnx2snn.ir.types import Array
from onnx2snn.runtime.engine import layers, neurons, pools, recording, reshapes, slices, terms
from onnx2snn.runtime.engine.attributes import attributes
from onnx2snn.runtime.engine.compact import compacted
from onnx2snn.runtime.engine.once import Held, total_read_out
from onnx2snn.runtime.engine.shapes import Shape, infer_shapes
from onnx2snn.runtime.engine.stream import ENGINE, MOST_TERMS, Emissions, Term

_COMPILED = [op for op in OPS if isinstance(op, Neuron) and neurons.is_compiled(op)]
_NEURONS = {op.name: op for op in _COMPILED} | {op.chunk_name: op for op in _COMPILED}
_ON_SPIKES = {
    *("Conv", "Gemm", "MatMul", "Add", "AveragePool", "GlobalAveragePool", "ReduceMean"),
    *("Concat", "Flatten", "Reshape", "Squeeze", "Slice", "Pad"),
    *("IncrementMaxPool", "IncrementMaxPool_Chunk"),
}


def lower(
    model: onnx.ModelProto,
    dense_above: float | None = None,
    weights: WeightFile | None = None,
    *,
    int8: bool = False,
    tiles: bool = True,
    threads: int = 0,
) -> onnx.ModelProto:
    """Return the model with fused layers for whatever of it the engine has a form for.

    Args:
        model: a folded model, a running body or a chunk of timesteps.
        dense_above: density of a timestep from which on a layer computes it densely; the
            engine's own measured choice if not given.
        weights: where large weights of fused layers go; they stay in the model without it.
        int8: round the weights in front of fused neurons to whole numbers of one byte.
        tiles: whether dense convolutions may go by tiles (Winograd), which round differently.
        threads: threads of the session that will run it; 0: one a core.
    """
    return Lowering(model, dense_above, weights, int8, tiles, threads).run()


class Lowering:
    """One walk over one graph."""

    def __init__(
        self,
        model: onnx.ModelProto,
        dense_above: float | None,
        weights: WeightFile | None,
        int8: bool = False,
        tiles: bool = True,
        threads: int = 0,
    ) -> None:
        self._model = model
        self._weights = weights
        self.dense_above = dense_above
        self.int8 = int8
        self.tiles = tiles
        self.threads = threads
        self._constants = {t.name: t for t in model.graph.initializer}
        self._shapes = infer_shapes(model)
        self._made = {v.name for v in model.graph.input} | set(self._constants)
        self._emissions: dict[str, Emissions] = {}
        self._fired: set[str] = set()
        self._sums: dict[str, tuple[Term, ...]] = {}
        self._waiting: dict[str, onnx.NodeProto] = {}
        self._held = Held()
        self._linear = {
            node.output[0]: node
            for node in model.graph.node
            if node.domain == "" and len(node.output) == 1
        }
        self._readers: dict[str, set[str]] = defaultdict(set)
        for node in model.graph.node:
            for name in names_read(node):
                self._readers[name].add(node.op_type)
        for output in model.graph.output:
            self._readers[output.name].add("")
        self._units: dict[str, int] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.added: dict[str, onnx.TensorProto] = {}

    def run(self) -> onnx.ModelProto:
        """Lower every node, then make what the outputs need."""
        for node in self._model.graph.node:
            self._visit(node)
        for output in self._model.graph.output:
            self._materialise(output.name)
        lowered = onnx.ModelProto()
        lowered.CopyFrom(self._model)
        outputs = [o.name for o in self._model.graph.output]
        nodes = compacted(upstream(self.nodes, outputs), outputs, self._units)
        read = {name for node in nodes for name in names_read(node)}
        read |= {v.name for v in (*lowered.graph.input, *lowered.graph.output)}
        del lowered.graph.node[:], lowered.graph.value_info[:], lowered.graph.initializer[:]
        lowered.graph.node.extend(nodes)
        tensors = {**self._constants, **self.added}
        lowered.graph.initializer.extend(t for n, t in tensors.items() if n in read)
        lowered.opset_import.append(helper.make_opsetid(ENGINE, 1))
        return lowered

    # What the rules in the other files use.

    def constant(self, name: str) -> NDArray[np.generic] | None:
        """Return a constant of the graph; None if the tensor is not one."""
        tensor = self._constants.get(name)
        return None if tensor is None else tensor_values(tensor)

    def floats(self, name: str) -> Array | None:
        """Return a float constant."""
        value = self.constant(name)
        return None if value is None else np.asarray(value, dtype=np.float32)

    def shape(self, name: str) -> Shape | None:
        """Return the shape of a stream, as far as it is known."""
        return self._shapes.get(name)

    def emissions(self, name: str) -> Emissions | None:
        """Return the spikes a stream is; None if it is an ordinary tensor."""
        return self._emissions.get(name)

    def add_constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Add a constant under the engine's prefix and return its full name."""
        full_name = f"{ENGINE}/{name}"
        if self._weights is not None:
            self.added[full_name] = self._weights.add(full_name, value)
        else:
            self.added[full_name] = numpy_helper.from_array(np.ascontiguousarray(value), full_name)
        return full_name

    def fired(self, stream: str) -> Emissions | None:
        """Return the emissions of a neuron's own stream; None for any other stream."""
        return self._emissions.get(stream) if stream in self._fired else None

    def linear_node(self, stream: str) -> onnx.NodeProto | None:
        """Return the standard operator of the graph that makes a stream; None if none does."""
        return self._linear.get(stream)

    def readers(self, stream: str) -> set[str]:
        """Return the types of the operators that read a stream; "" stands for the caller."""
        return self._readers[stream]

    # The walk.

    def _visit(self, node: onnx.NodeProto) -> None:
        op = _NEURONS.get(node.op_type) if node.domain == DOMAIN else None
        if op is not None and self._fire(node, op):
            self._fired.add(node.output[0])
            return
        if self._held.visit(self, node):
            self._waiting[node.output[0]] = node
            return
        if total_read_out(self, node):
            self._made.update(node.output)
            return
        if recording.count_events(self, node):
            self._made.update(node.output)
            return
        found = self._spikes_of(node)
        if found is not None:
            self._emissions[node.output[0]] = found
            if len(node.output) == 1:  # one with states is lowered for good: its spikes are decoded
                self._waiting[node.output[0]] = node
            self._made.update(node.output[1:])
            return
        sums = self._terms_of(node)
        if sums is not None and len(sums) <= MOST_TERMS:
            self._sums[node.output[0]] = sums
            return
        self._keep(node)

    def _fire(self, node: onnx.NodeProto, op: Neuron) -> bool:
        """Lower a neuron; says whether it was possible and worth it."""
        shape = self.shape(node.input[0])
        carried = node.op_type == op.chunk_name
        formal = op.chunk_inputs if carried else op.inputs
        named = dict(zip(formal, node.input, strict=True))
        values = {name: self.floats(named[name]) for name in neurons.per_unit(op)}
        quantum = neurons.per_channel(values["quantum"], shape)
        wanted = self._readers[node.output[0]] & _ON_SPIKES
        if quantum is None or not wanted or not neurons.fits(values.values(), shape):
            return False
        sums = self._sums.get(node.input[0])
        held = self._held.raw.get(node.input[0])
        if self._held.stimulus.get(node.input[0]) != named["stimulus"]:
            held = None
        if sums is None and held is None:
            self._materialise(node.input[0])
        parameters = [named["quantum"], named["current"], named.get("slope", named["current"])]
        parameters += [named["n_min"], named["n_max"], named["clock" if carried else "timesteps"]]
        parameters.append(named["stimulus"])
        states = [named[name] for name in op.state] if carried else [named["current"]] * 2
        emissions = neurons.emissions_of(op, f"{ENGINE}/{node.output[0]}", quantum)
        law = neurons.law_of(op, attributes(node)) | {"carried": int(carried)}
        parameters += states  # without a state to carry these are never read
        outputs = [emissions.tensor, *node.output[1:]]
        if sums is None and (held is None or len(quantum) < layers.FEWEST_CHANNELS):
            kind = "Encode" if emissions.codes else "EncodeValues"
            inputs = [held or node.input[0], *parameters]
            law |= {"held": int(held is not None)}
        else:
            kind = "Layer" if emissions.codes else "LayerValues"
            inputs = [*parameters, *layers.sources(self, node.output[0], sums, held, quantum)]
            law |= layers.options(self) | {"marks": 1}
            emissions = replace(emissions, active=f"{emissions.tensor}/active")
            outputs += [""] * (3 - len(outputs)) + [emissions.active]
            if emissions.unit:
                self._units[emissions.tensor] = len(quantum)
        self.nodes.append(
            helper.make_node(kind, inputs, outputs, name=node.name, domain=ENGINE, **law)
        )
        self._made.update(node.output[1:])
        self._emissions[node.output[0]] = emissions
        return True

    def _spikes_of(self, node: onnx.NodeProto) -> Emissions | None:
        """Return the spikes a node on spikes gives, if they stay spikes."""
        given = [self._emissions.get(name) for name in node.input]
        first = given[0] if given else None
        if node.op_type == "Concat" and node.domain == "":
            known = [emissions for emissions in given if emissions is not None]
            if len(known) == len(given):
                return pools.concatenated(self, node, known)
            return None
        if first is None:
            return None
        if node.domain == "" and node.op_type in ("Flatten", "Reshape", "Squeeze"):
            return reshapes.flattened(self, node, first)
        if node.domain == "" and node.op_type in ("Slice", "Pad"):
            return slices.sliced(self, node, first)
        return pools.pooled(self, node, first)

    def _terms_of(self, node: onnx.NodeProto) -> tuple[Term, ...] | None:
        """Return a linear node on spikes as terms."""
        if node.domain != "":
            return None
        if node.op_type == "Add":
            sides = [self._side(name) for name in node.input]
            shapes = [self.shape(name) for name in node.input]
            if None in sides or None in shapes or shapes[0] != shapes[1]:
                return None
            return tuple(term for side in sides for term in side or ())
        emissions = self._emissions.get(node.input[0]) if node.input else None
        if emissions is None or node.op_type not in ("Conv", "Gemm", "MatMul"):
            return None
        weights = self.floats(node.input[1])
        if weights is None:
            return None
        if node.op_type == "Conv":
            term = terms.convolution(node, emissions, weights)
        else:
            term = terms.full(node, emissions, weights, len(self.shape(node.input[0]) or ()))
        return None if term is None else (term,)

    def _side(self, name: str) -> tuple[Term, ...] | None:
        if name in self._sums:
            return self._sums[name]
        emissions = self._emissions.get(name)
        term = terms.identity(emissions) if emissions else None
        return None if term is None else (term,)

    def _keep(self, node: onnx.NodeProto) -> None:
        """Keep a node as it is, and make dense whatever it reads."""
        for name in names_read(node):
            self._materialise(name)
        self.nodes.append(node)
        self._made.update(node.output)

    def _materialise(self, name: str) -> None:
        """Make sure that a stream exists as an ordinary tensor."""
        if name in self._made:
            return
        if name in self._sums:
            self._made.add(name)
            self.nodes.append(layers.currents(self, name, self._sums[name]))
        elif name in self._waiting:
            self._keep(self._waiting[name])
        elif name in self._emissions:
            self._made.add(name)
            spikes = self._emissions[name]
            quantum = self.add_constant(f"{name}/quantum", spikes.quantum)
            self.nodes.append(
                helper.make_node("Decode", [spikes.tensor, quantum], [name], domain=ENGINE)
            )

"""Emit: the planned ANN, its neurons and its constants become a plain spiking graph.

Activations and encoders are replaced by neurons, MaxPool by a spiking pool, every linear operator
by its bias-free form; inputs enter through ``DirectCurrent``, outputs leave through ``ReadOut``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.converter.graph.linearise import linearise
from onnx2snn.converter.graph.to_model import to_model
from onnx2snn.converter.planning.plan import Plan, frontier, read_out_tensors
from onnx2snn.converter.planning.sites import NeuronParameters, Site
from onnx2snn.converter.presets import Pooling
from onnx2snn.ir.grammar import tensor_kinds
from onnx2snn.ir.model import STIMULUS
from onnx2snn.ir.ops import DOMAIN
from onnx2snn.ir.ops.max_pool import POOL_ATTRIBUTES

FLOAT = onnx.TensorProto.FLOAT
BIASED = "/temporal_bias"


@dataclass(frozen=True)
class Ingredients:
    """Everything the emission needs besides the planned graph.

    Attributes:
        plan: role of every node.
        sites: places of neurons.
        neurons: parameters by site name.
        currents: constant part by tensor name.
        pooling: how max-pooling is done.
        timesteps: default T.
        stimulus: S; None for S = T.
        dims: dimensions of every stream whose batch axis is known.
        temporal_bias: whether layers of activations get a table of currents by timestep, to be
            filled by a correction.
    """

    plan: Plan
    sites: Sequence[Site]
    neurons: Mapping[str, NeuronParameters]
    currents: Mapping[str, NDArray[np.float32]]
    pooling: Pooling
    timesteps: int
    stimulus: int | None
    dims: Mapping[str, Sequence[int | str]]
    temporal_bias: bool = False


def emit_spiking_graph(graph: gs.Graph, parts: Ingredients) -> onnx.GraphProto:
    """Turn the planned ANN into a spiking graph, in place, and return it as plain ONNX."""
    clock = _Clock(graph, parts)
    encoded = frontier(graph, parts.plan)
    decoded = read_out_tensors(graph, parts.plan)
    quanta = {
        site.target: gs.Constant(f"{site.name}/quantum", parts.neurons[site.name].quantum)
        for site in parts.sites
    }
    sites = {site.name: site for site in parts.sites}
    sources = {node.name: node.inputs[0].name for node in graph.nodes if node.inputs}
    for node in list(graph.nodes):
        role = parts.plan.role(node)
        if node.name in sites:
            _to_neuron(graph, node, sites[node.name], parts, clock, quanta)
        elif role == "spiking-pool":
            _to_pool(node, sources[node.name], parts, clock, quanta)
        elif node.name in parts.plan.markers:
            _to_marker(node, sources[node.name], parts, clock)
        elif role == "linear":
            linearise(graph, node, parts.plan.streams, decoded)
    _encode_inputs(graph, encoded, clock)
    _decode_outputs(graph, decoded, parts, clock)
    graph.cleanup().toposort()
    return _finish(graph, clock, parts)


class _Clock:
    """The tensors every stateful node reads: T, and S if it is not T."""

    def __init__(self, graph: gs.Graph, parts: Ingredients) -> None:
        taken = {*graph.tensors(), *(tensor.name for tensor in graph.inputs)}
        name = "timesteps" if "timesteps" not in taken else "onnx2snn/timesteps"
        self.timesteps = gs.Variable(name, dtype=np.int64, shape=())
        self.stimulus: gs.Tensor = self.timesteps
        if parts.stimulus is not None:
            self.stimulus = gs.Constant(STIMULUS, np.asarray(parts.stimulus, np.int64))
        self.default = parts.timesteps


def _to_neuron(
    graph: gs.Graph,
    node: gs.Node,
    site: Site,
    parts: Ingredients,
    clock: _Clock,
    quanta: Mapping[str, gs.Constant],
) -> None:
    neuron = parts.neurons[site.name]
    values: dict[str, NDArray[np.generic]] = {
        "current": np.asarray(parts.currents[site.source] + neuron.shift, np.float32),
        "n_min": np.asarray(neuron.n_min, np.float32),
        "n_max": np.asarray(neuron.n_max, np.float32),
        **site.activation.parameters,
        **neuron.constants,
    }
    biased = parts.temporal_bias and site.role == "neuron"
    named: dict[str, gs.Tensor] = {
        "x": _biased(graph, node, site, clock) if biased else node.inputs[0],
        "quantum": quanta[site.target],
        "timesteps": clock.timesteps,
        "stimulus": clock.stimulus,
        **{key: gs.Constant(f"{site.name}/{key}", value) for key, value in values.items()},
    }
    node.op, node.domain, node.attrs = neuron.op.name, DOMAIN, dict(neuron.attributes)
    node.inputs = [named[name] for name in neuron.op.inputs]


def _biased(graph: gs.Graph, node: gs.Node, site: Site, clock: _Clock) -> gs.Tensor:
    """Put a table of zeros, one row a timestep, in front of a neuron."""
    rows = np.zeros((clock.default, *[1] * (len(site.shape) - 1)), np.float32)
    name = f"{site.name}{BIASED}"
    output = gs.Variable(name, dtype=np.float32)
    inputs = [node.inputs[0], gs.Constant(f"{name}/table", rows), clock.timesteps, clock.stimulus]
    bias = gs.Node("TemporalBias", name, inputs=inputs, outputs=[output], domain=DOMAIN)
    graph.nodes.append(bias)
    return output


def _to_pool(
    node: gs.Node,
    source: str,
    parts: Ingredients,
    clock: _Clock,
    quanta: dict[str, gs.Constant],
) -> None:
    spatial = len(node.attrs["kernel_shape"])
    defaults = {"strides": [1] * spatial, "pads": [0] * 2 * spatial, "dilations": [1] * spatial}
    attrs = {**defaults, "ceil_mode": 0, **node.attrs}
    node.attrs = {key: attrs[key] for key in POOL_ATTRIBUTES}
    node.domain = DOMAIN
    quantum = quanta.get(source)
    if quantum is not None and parts.pooling == "gated":
        node.op, node.inputs = "GatedMaxPool", [node.inputs[0], clock.timesteps]
    elif quantum is not None and parts.pooling == "increment":
        node.op = "IncrementMaxPool"
        node.inputs = [node.inputs[0], quantum, clock.timesteps]
        quanta[node.outputs[0].name] = quantum
    else:
        node.op = "MembraneMaxPool"
        current = gs.Constant(f"{node.name}/current", parts.currents[source])
        node.inputs = [node.inputs[0], current, clock.timesteps, clock.stimulus]


def _to_marker(node: gs.Node, planned: str, parts: Ingredients, clock: _Clock) -> None:
    """Turn the Identity that marks one end of a lift into its operator."""
    marker = parts.plan.markers[node.name]
    source = node.inputs[0]
    node.op, node.domain = marker, DOMAIN
    if marker == "Estimate":
        current = gs.Constant(f"{node.name}/current", parts.currents[planned])
        node.inputs = [source, current, clock.timesteps, clock.stimulus]
    elif marker == "Increment":
        node.inputs = [source, clock.timesteps, clock.stimulus]
    else:
        node.inputs = [source, clock.timesteps]


def _encode_inputs(graph: gs.Graph, encoded: Sequence[gs.Tensor], clock: _Clock) -> None:
    for tensor in encoded:
        readers = list(tensor.outputs)
        output = gs.Variable(f"{tensor.name}/stream", dtype=tensor.dtype)
        for reader in readers:
            reader.inputs = [output if item is tensor else item for item in reader.inputs]
        inputs = [tensor, clock.timesteps, clock.stimulus]
        name = f"{tensor.name}/direct_current"
        node = gs.Node("DirectCurrent", name, inputs=inputs, outputs=[output], domain=DOMAIN)
        graph.nodes.append(node)


def _decode_outputs(
    graph: gs.Graph, decoded: Sequence[str], parts: Ingredients, clock: _Clock
) -> None:
    tensors = graph.tensors()
    roles = parts.plan.fates
    for name in decoded:
        stream = tensors[name]
        value = gs.Variable(f"{name}/value", dtype=np.float32, shape=stream.shape)
        for reader in list(stream.outputs):
            if reader.name in roles and roles[reader.name].fate == "read-out":
                reader.inputs = [value if item is stream else item for item in reader.inputs]
        if any(output is stream for output in graph.outputs):
            graph.outputs = [value if output is stream else output for output in graph.outputs]
            stream.name, value.name = f"{name}/stream", name
        current = gs.Constant(f"{name}/read_out/current", parts.currents[name])
        graph.nodes.append(
            gs.Node(
                "ReadOut",
                f"{name}/read_out",
                inputs=[stream, current, clock.timesteps, clock.stimulus],
                outputs=[value],
                domain=DOMAIN,
            )
        )


def _finish(graph: gs.Graph, clock: _Clock, parts: Ingredients) -> onnx.GraphProto:
    """Export, and add T as last input with its default as an initializer of the same name."""
    graph.inputs = [*graph.inputs, clock.timesteps]
    proto = to_model(graph).graph
    default = np.asarray(clock.default, np.int64)
    proto.initializer.append(onnx.numpy_helper.from_array(default, clock.timesteps.name))
    known = [site for site in parts.sites if site.source in parts.dims]
    biased = {f"{site.name}{BIASED}": parts.dims[site.source] for site in known}
    _declare_shapes(proto, {**parts.dims, **biased})
    return proto


def _declare_shapes(graph: onnx.GraphProto, dims: Mapping[str, Sequence[int | str]]) -> None:
    """Declare the shape of every stream: shape inference cannot see through the folding.

    The ANN's own declarations no longer hold, because time now shares the batch axis.
    """
    kinds = tensor_kinds(graph)
    declared = {output.name for output in graph.output}
    del graph.value_info[:]
    for name, kind in kinds.items():
        planned = name.removesuffix("/stream")
        if kind == "stream" and name not in declared and planned in dims:
            graph.value_info.append(helper.make_tensor_value_info(name, FLOAT, dims[planned]))

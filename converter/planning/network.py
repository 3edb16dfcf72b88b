"""The planned network: the canonical ANN with encoders in place and every role decided."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations import Activation
from onnx2snn.converter.calibration.input_grid import InputGrid
from onnx2snn.converter.graph.channels import channel_axis
from onnx2snn.converter.graph.import_graph import import_graph
from onnx2snn.converter.graph.to_model import to_model
from onnx2snn.converter.judging.batching import batched_inputs
from onnx2snn.converter.planning.plan import Marker, Plan, frontier, plan_network, read_out_tensors
from onnx2snn.converter.planning.schedule import layer_depths
from onnx2snn.converter.planning.sites import Site
from onnx2snn.converter.presets import Preset
from onnx2snn.converter.rewrites.insert_count_neurons import insert_count_neurons
from onnx2snn.converter.rewrites.insert_encoders import (
    holds_no_negative,
    insert_input_encoders,
    insert_synapse_encoders,
)
from onnx2snn.converter.rewrites.insert_lifts import insert_lifts
from onnx2snn.converter.rewrites.move_max_pools import move_max_pools
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.findings import Change, Finding
from onnx2snn.ir.manifest import Fate, NodeFate
from onnx2snn.ir.session import Session, Tensors


@dataclass(frozen=True)
class PlannedNetwork:
    """An ANN, equal to the source, in which every stateful node of the SNN has its place.

    Attributes:
        graph: the graph, to be turned into the spiking graph.
        model: the same as ONNX.
        plan: role of every node.
        sites: places of neurons, in topological order.
        pools: nodes that become spiking pools.
        shapes: shape at batch 1 of every stream.
        dims: the same with the batch axis named, for streams whose batch axis is known.
        changes: what the rewrites did.
        inputs: the encoded tensor by name of its input encoder.
    """

    graph: gs.Graph
    model: onnx.ModelProto
    plan: Plan
    sites: tuple[Site, ...]
    pools: tuple[gs.Node, ...]
    shapes: Mapping[str, tuple[int, ...]]
    dims: Mapping[str, tuple[int | str, ...]]
    changes: tuple[Change, ...]
    inputs: Mapping[str, str]

    @property
    def stateful_outputs(self) -> dict[str, tuple[int, ...]]:
        """Return the shape at batch 1 of everything a segment may start from."""
        names = [site.target for site in self.sites]
        names += [pool.outputs[0].name for pool in self.pools]
        names += [tensor.name for tensor in frontier(self.graph, self.plan)]
        names += [node.outputs[0].name for node in self.marked("Increment")]
        return {name: self.shapes[name] for name in names}

    def marked(self, marker: Marker) -> tuple[gs.Node, ...]:
        """Return the Identity nodes that stand for one kind of marker."""
        markers = self.plan.markers
        return tuple(node for node in self.graph.nodes if markers.get(node.name) == marker)

    @property
    def segment_ends(self) -> tuple[str, ...]:
        """Return the inputs of neurons and pools, and the tensors that are read out."""
        names = [site.source for site in self.sites]
        names += [pool.inputs[0].name for pool in self.pools]
        names += [node.inputs[0].name for node in self.marked("Estimate")]
        return tuple(dict.fromkeys([*names, *read_out_tensors(self.graph, self.plan)]))


@dataclass(frozen=True)
class PlannedNodes:
    """The graph with encoders in place and the role of every node.

    Attributes:
        graph: the graph, still an ANN.
        plan: role of every node.
        inputs: the encoded tensor by name of its input encoder.
        encoders: encoders in front of synapses.
        changes: what the rewrites did.
        counters: neurons in front of read-outs.
    """

    graph: gs.Graph
    plan: Plan
    inputs: Mapping[str, str]
    encoders: tuple[str, ...]
    changes: tuple[Change, ...]
    counters: tuple[str, ...] = ()


def plan_nodes(
    canonical: onnx.ModelProto, preset: Preset, grids: Mapping[str, InputGrid] | None = None
) -> PlannedNodes:
    """Decide what becomes of every node and put encoders where spikes are needed.

    Args:
        canonical: the canonical ANN.
        preset: the knobs.
        grids: grid of every input; none for an analog first layer, or if no data is known yet.
    """
    graph = import_graph(canonical)
    changes = move_max_pools(graph, before_neuron=preset.pooling == "membrane")
    first = plan_network(graph)
    if first.problems:
        return PlannedNodes(graph, first, {}, (), tuple(changes))
    inputs = insert_input_encoders(graph, first, grids) if grids else {}
    plan = insert_lifts(graph, _with_encoders(plan_network(graph), tuple(inputs)))
    spiking_pools = preset.pooling != "membrane"
    encoders = insert_synapse_encoders(
        graph, plan, spiking_pools=spiking_pools, pool_neurons=preset.pool_neurons
    )
    made = {node.name: node for node in graph.nodes if node.name in encoders}
    unsigned = {name for name, node in made.items() if holds_no_negative(node.inputs[0], plan)}
    plan = _with_encoders(plan, (), encoders, unsigned)
    counters: dict[str, str] = {}
    if preset.read_out != "current":
        counters = insert_count_neurons(graph, plan)
        plan = _with_counters(plan, counters, signed=preset.alphabet != "binary")
    graph.toposort()
    return PlannedNodes(graph, plan, inputs, encoders, tuple(changes), tuple(counters))


def plan_spiking_network(
    canonical: onnx.ModelProto,
    preset: Preset,
    grids: Mapping[str, InputGrid],
    one_sample: Tensors,
    *,
    batch_free: bool = True,
) -> PlannedNetwork:
    """Plan the nodes, and learn the shapes by running one sample.

    Args:
        canonical: the canonical ANN.
        preset: the knobs.
        grids: grid of every input; empty for an analog first layer.
        one_sample: feeds at batch 1.
        batch_free: whether the model runs at any batch.

    Raises:
        UnsupportedOpError: naming every node that cannot be converted.
    """
    planned = plan_nodes(canonical, preset, grids)
    raise_if_unsupported(planned.plan)
    graph, plan = planned.graph, planned.plan
    shapes = _trace_shapes(graph, plan, one_sample)
    raise_if_empty(planned, shapes)
    batched = batched_inputs(canonical)
    twice = _trace_shapes(graph, plan, _doubled(one_sample, batched)) if batch_free else {}
    dims = _name_batch(shapes, twice)
    roles: dict[str, Fate] = {
        **dict.fromkeys(planned.inputs, "input"),
        **dict.fromkeys(planned.encoders, "encoder"),
        **dict.fromkeys(planned.counters, "encoder"),
    }
    depths = layer_depths(graph, plan.activations, planned.inputs)
    sites = tuple(
        replace(
            _site(node, roles.get(node.name, "neuron"), plan, shapes),
            depth=depths[node.name],
            counted=node.name in planned.counters,
        )
        for node in graph.nodes
        if node.name in plan.activations
    )
    pools = tuple(node for node in graph.nodes if plan.role(node) == "spiking-pool")
    return PlannedNetwork(
        graph, to_model(graph), plan, sites, pools, shapes, dims, planned.changes, planned.inputs
    )


def raise_if_unsupported(plan: Plan) -> None:
    """Raise one error with every problem of the plan."""
    if plan.problems:
        raise UnsupportedOpError(
            f"{len(plan.problems)} problem(s) forbid the conversion",
            remedy="run 'onnx2snn check MODEL' for the whole account, node by node",
            findings=plan.problems,
        )


def raise_if_empty(planned: PlannedNodes, shapes: Mapping[str, Sequence[int]]) -> None:
    """Refuse neurons on tensors without elements.

    Raises:
        UnsupportedOpError: naming every such node.
    """
    findings = [
        Finding(
            code="empty-tensor",
            severity="error",
            message=f"its output has no elements: {list(shapes[node.outputs[0].name])}",
            node=node.name,
            op=node.op,
            remedy="check the shapes of the exported model; nothing is left there to compute",
        )
        for node in planned.graph.nodes
        if node.name in planned.plan.activations and 0 in shapes[node.outputs[0].name]
    ]
    if findings:
        raise UnsupportedOpError(
            f"{len(findings)} activation(s) have no neurons",
            remedy="export the model at the shape it is used with",
            findings=findings,
        )


def _with_encoders(
    plan: Plan,
    inputs: tuple[str, ...],
    encoders: tuple[str, ...] = (),
    unsigned: Collection[str] = (),
) -> Plan:
    """Mark the Identity nodes that stand for encoders as neurons with an unbounded activation."""
    fates, kinds = dict(plan.fates), dict(plan.kinds)
    activations = dict(plan.activations)
    for name in inputs:
        fates[name] = NodeFate(node=name, op="Identity", fate="input", detail="input encoder")
    for name in encoders:
        fates[name] = NodeFate(
            node=name, op="Identity", fate="encoder", detail="analog values become spikes"
        )
        kinds[f"{name}/out"] = "stream"
    activations.update((name, Activation()) for name in (*inputs, *encoders))
    activations.update((name, Activation(lower=0.0)) for name in unsigned)
    return replace(plan, fates=fates, activations=activations, kinds=kinds)


def _with_counters(plan: Plan, counters: Mapping[str, str], *, signed: bool) -> Plan:
    """Mark the Identity nodes that stand for count neurons; binary ones count what is positive."""
    activation = Activation() if signed else Activation(lower=0.0)
    detail = "output neurons, whose spikes are counted"
    fates = {
        name: NodeFate(node=name, op="Identity", fate="encoder", detail=detail) for name in counters
    }
    return replace(
        plan,
        fates={**plan.fates, **fates},
        activations={**plan.activations, **dict.fromkeys(counters, activation)},
        kinds={**plan.kinds, **dict.fromkeys(counters.values(), "stream")},
    )


def _site(node: gs.Node, role: Fate, plan: Plan, shapes: Mapping[str, tuple[int, ...]]) -> Site:
    source, target = node.inputs[0].name, node.outputs[0].name
    return Site(
        name=node.name,
        role=role,
        activation=plan.activations[node.name],
        source=source,
        target=target,
        axis=channel_axis(node.inputs[0], len(shapes[source])),
        shape=shapes[source],
    )


def _trace_shapes(graph: gs.Graph, plan: Plan, samples: Tensors) -> dict[str, tuple[int, ...]]:
    """Run the samples and return the shape of every stream."""
    names = [t.name for node in graph.nodes for t in node.outputs if t.name in plan.streams]
    session = Session(to_model(graph, names), optimised=False)
    values = session.run(samples, names)
    shapes = {name: np.asarray(value).shape for name, value in values.items()}
    return {**shapes, **{name: value.shape for name, value in samples.items()}}


def _doubled(samples: Tensors, batched: Collection[str]) -> Tensors:
    return {
        name: np.concatenate([values, values]) if name in batched else values
        for name, values in samples.items()
    }


def _name_batch(
    single: Mapping[str, tuple[int, ...]], double: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int | str, ...]]:
    """Name the axis that grows from 1 to 2 with the batch; leave out all other tensors."""
    named: dict[str, tuple[int | str, ...]] = {}
    for name, shape in single.items():
        pairs = list(zip(shape, double.get(name, ()), strict=False))
        grown = [axis for axis, (one, two) in enumerate(pairs) if one != two]
        if len(pairs) == len(shape) and len(grown) == 1 and pairs[grown[0]] == (1, 2):
            named[name] = tuple("timesteps*N" if a == grown[0] else d for a, d in enumerate(shape))
    return named

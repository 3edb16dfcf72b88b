"""Synaptic operations by real fan-out: the count graph.

A synaptic operation (SOP) is one event reaching one synapse. The count graph is the spiking graph
with its neurons taken out: each stream a neuron or pool emits becomes an input that takes event
counts, every weight becomes 1 where it is not zero and 0 elsewhere, and averages become sums. The
counts that arrive at the inputs of neurons, pools, lifts and read-outs are the synaptic operations,
exact at borders, strides, groups and pruned weights. Rules of counting:

* One event takes one SOP per path to a stateful unit. Linear operators in a row (a Conv and an
  average pool) are counted as the paths through them, as if each partial sum were one synapse.
* At a spiking max-pool, every event is charged once per window it lies in.
* A residual addition is one SOP per event. Reshapes, slices and scalings are free.
* Resize passes counts with its interpolation weights.

Where ``DirectCurrent`` feeds a synapse without a neuron in between (analog first layer), the dense
input is multiplied at each of the S stimulus steps: these multiplications are counted apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.ir.derive.parts import assemble, float_tensor, names_read, split_parts, upstream
from onnx2snn.ir.linear import is_synapse
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, DirectCurrent, Hold, Increment, TemporalBias, spiking_op
from onnx2snn.ir.ops.max_pool import POOL_ATTRIBUTES, GatedMaxPool, IncrementMaxPool
from onnx2snn.ir.session import Session
from onnx2snn.ir.types import Array

_COUNT = "onnx2snn/count/"
_NO_SYNAPSE = (DirectCurrent, Increment, Hold, TemporalBias)
_SUMS = {"ReduceMean": "ReduceSum", "Mean": "Sum", "Sub": "Add", "Neg": "Identity"}


@dataclass(frozen=True)
class CountGraph:
    """The count graph of a spiking model.

    Attributes:
        proto: inputs are streams of event counts, outputs the counts that arrive.
        streams: inputs that take event counts.
        currents: inputs that take the direct current.
        arrivals: output by the stream (or decoded value) of the layer that the counts arrive at.
        encoders: streams of layers directly behind a ``DirectCurrent``: its input is no synapse.
    """

    proto: onnx.ModelProto
    streams: tuple[str, ...]
    currents: tuple[str, ...]
    arrivals: Mapping[str, str]
    encoders: frozenset[str]


def count_graph(model: SpikingModel) -> CountGraph:
    """Return the count graph of a spiking model."""
    body = split_parts(model.plain.graph).body
    spiking = [node for node in body if node.domain == DOMAIN]
    currents = {n.output[0] for n in spiking if isinstance(spiking_op(n), DirectCurrent)}
    stateful = [n for n in spiking if not isinstance(spiking_op(n), _NO_SYNAPSE)]
    produced = {name for node in body for name in node.output}
    nodes: list[onnx.NodeProto] = []
    for node in body:
        if node.domain != DOMAIN:
            nodes += _counting(node, produced)
        elif isinstance(spiking_op(node), TemporalBias):
            nodes.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
    arrivals: dict[str, str] = {}
    for node in stateful:
        arrivals[node.output[0]] = f"{_COUNT}{node.output[0]}"
        nodes.append(_arriving(node))
    wanted = [*arrivals.values()]
    kept = upstream([*split_parts(model.plain.graph).prologue, *nodes], wanted)
    read = {name for node in kept for name in names_read(node)}
    computed = {name for node in kept for name in node.output}
    streams = tuple(n.output[0] for n in spiking if n.output[0] in read - currents - computed)
    fed = tuple(name for name in (n.output[0] for n in spiking) if name in read & currents)
    proto = assemble(
        model.plain,
        kept,
        [float_tensor(name) for name in (*streams, *fed)],
        [float_tensor(name) for name in wanted],
        [],
    )
    encoders = frozenset(n.output[0] for n in stateful if n.input[0] in currents)
    return CountGraph(proto, streams, fed, arrivals, encoders)


def _arriving(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return the node that gives the counts arriving at a stateful node."""
    output = f"{_COUNT}{node.output[0]}"
    if isinstance(spiking_op(node), (IncrementMaxPool, GatedMaxPool)):
        pool = helper.make_node("LpPool", [node.input[0]], [output], p=1)
        pool.attribute.extend(a for a in node.attribute if a.name in POOL_ATTRIBUTES)
        return pool
    return helper.make_node("Identity", [node.input[0]], [output])


def _counting(node: onnx.NodeProto, streams: set[str]) -> Iterator[onnx.NodeProto]:
    """Yield the nodes that pass counts as ``node`` passes values."""
    counting = onnx.NodeProto()
    counting.CopyFrom(node)
    counting.op_type = _SUMS.get(node.op_type, node.op_type)
    if is_synapse(node.op_type) or node.op_type in ("Mul", "Div"):
        counting.op_type = "Mul" if node.op_type == "Div" else node.op_type
        for i, name in enumerate(node.input):
            if name and name not in streams:
                yield from indicator(name, f"{_COUNT}{node.output[0]}/{i}")
                counting.input[i] = f"{_COUNT}{node.output[0]}/{i}"
        _drop(counting, ("alpha", "beta"))
    elif node.op_type == "AveragePool":
        counting.op_type = "LpPool"
        _drop(counting, ("count_include_pad",))
        counting.attribute.append(helper.make_attribute("p", 1))
    elif node.op_type == "GlobalAveragePool":
        counting.op_type = "GlobalLpPool"
        counting.attribute.append(helper.make_attribute("p", 1))
    yield counting


def indicator(name: str, output: str) -> Iterator[onnx.NodeProto]:
    """Yield the nodes that compute 1 where a tensor is not zero, else 0, in float32."""
    yield helper.make_node("Cast", [name], [f"{output}/bool"], to=onnx.TensorProto.BOOL)
    yield helper.make_node("Cast", [f"{output}/bool"], [output], to=onnx.TensorProto.FLOAT)


def _drop(node: onnx.NodeProto, names: Sequence[str]) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)


class FanOut:
    """Counts synaptic operations from event maps.

    Args:
        model: the spiking model.
        threads: 0 lets onnxruntime decide.
    """

    def __init__(self, model: SpikingModel, threads: int = 0) -> None:
        self._graph = count_graph(model)
        # Folded, the weights of zeros and ones would be in memory as a second network.
        self._session = Session(self._graph.proto, folded=False, threads=threads)

    def synaptic_operations(
        self, events: Mapping[str, Array], inputs: Mapping[str, Sequence[int]]
    ) -> dict[str, float]:
        """Return the synaptic operations that arrive at each layer (by stream) and read-out.

        Args:
            events: events by stream, [1, *F] (or [N, *F] where the batch axis is not free).
            inputs: shape of each direct current.
        """
        zeros = {name: np.zeros(inputs[name], np.float32) for name in self._graph.currents}
        fed = {name: events[name] for name in self._graph.streams}
        return self._arrivals({**fed, **zeros})

    def analog_operations(
        self, events: Mapping[str, Array], inputs: Mapping[str, Sequence[int]]
    ) -> float:
        """Return the multiplications by direct current of one stimulus step.

        Arguments are those of :meth:`synaptic_operations`; of ``events`` only shapes matter.
        """
        if not self._graph.currents:
            return 0.0
        ones = {name: np.ones(inputs[name], np.float32) for name in self._graph.currents}
        silent = {name: np.zeros_like(events[name]) for name in self._graph.streams}
        arrived = self._arrivals({**silent, **ones})
        return sum(n for name, n in arrived.items() if name not in self._graph.encoders)

    @property
    def currents(self) -> tuple[str, ...]:
        """Return the streams of direct current whose shapes are needed."""
        return self._graph.currents

    def _arrivals(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, float]:
        results = self._session.run(feeds)
        return {
            layer: float(np.asarray(results[output]).sum(dtype=np.float64))
            for layer, output in self._graph.arrivals.items()
        }

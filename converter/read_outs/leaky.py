"""The leaky read-out: a LIF layer behind the output neurons, trained by STDP, whose spikes count.

    count neurons -> W -> LeakyIntegrateFire -> ReadOut

The layer is fully connected with the output neurons (seed 3, sec. 4). Its threshold is half an
incoming spike: of the thresholds 1/2 to 3 it kept the most agreement with the ANN on calibration
data at every leak tried (docs/methods.md). What it emits are class scores, not the ANN's logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnx2snn.converter.read_outs.stdp import StdpRule, Weights, train_stdp
from onnx2snn.ir.derive.parts import float_tensor
from onnx2snn.ir.errors import UnsupportedOpError
from onnx2snn.ir.manifest import Manifest, NodeFate
from onnx2snn.ir.model import NeuronLayer, SpikingModel
from onnx2snn.ir.ops import DOMAIN, LeakyIntegrateFire, ReadOut
from onnx2snn.ir.seal import seal
from onnx2snn.ir.session import Session, Tensors

DEFAULT_LEAK = 0.9
THRESHOLD = 0.5
MOST_SAMPLES = 256


@dataclass(frozen=True)
class _Place:
    """Where the layer goes.

    Attributes:
        read_out: the node that decodes the scores.
        neurons: the output neurons in front of it.
    """

    read_out: onnx.NodeProto
    neurons: NeuronLayer


def add_leaky_read_out(
    model: SpikingModel,
    samples: Iterable[Tensors],
    *,
    leak: float = DEFAULT_LEAK,
    rule: StdpRule | None = None,
    library: str | None = None,
) -> SpikingModel:
    """Return a model that counts spikes with a leaky layer behind its output neurons.

    The layer is trained on the spike trains of the samples, without labels, once through.

    Args:
        model: a folded model with read-out by spike count and one output of scores [N, K].
        samples: feeds of calibration samples, in batches; at most 256 samples are used.
        leak: gamma.
        rule: constants of the plasticity.
        library: custom-op library that runs neurons compiled, if there is one.

    Raises:
        UnsupportedOpError: the model has no such output.
    """
    place = _find(model)
    seen, spikes = 0, []
    for batch in _spike_trains(model, place, samples, library):
        spikes.append(batch)
        seen += batch.shape[1]
        if seen >= MOST_SAMPLES:
            break
    trains = np.concatenate(spikes, axis=1)[:, :MOST_SAMPLES]
    start = np.eye(trains.shape[2])
    weights = train_stdp(trains, start, threshold=THRESHOLD, leak=leak, rule=rule)
    return _insert(model, place, weights, leak, trains.shape[1])


def _find(model: SpikingModel) -> _Place:
    counted = {layer.output: layer for layer in model.neurons if layer.op.alphabet != "graded"}
    read_outs = [
        node
        for node in model.plain.graph.node
        if node.domain == DOMAIN and node.op_type == ReadOut.name
    ]
    if len(read_outs) != 1 or read_outs[0].input[0] not in counted:
        raise UnsupportedOpError(
            "a leaky read-out needs a network with one output of class scores, read out by "
            f"counting unit spikes of output neurons; this one decodes {len(read_outs)} tensor(s)",
            remedy="use read_out='spike-count' or 'current'",
        )
    return _Place(read_outs[0], counted[read_outs[0].input[0]])


def _spike_trains(
    model: SpikingModel, place: _Place, samples: Iterable[Tensors], library: str | None
) -> Iterator[NDArray[np.float32]]:
    """Yield the spikes of the output neurons, -1, 0 or 1, [T, N, K]."""
    stream, timesteps = place.neurons.output, model.manifest.timesteps
    proto = onnx.ModelProto()
    proto.CopyFrom(model.plain)
    proto.graph.output.append(float_tensor(stream))
    session = Session(proto, library=library)
    clock: Tensors = {model.timesteps_input: np.asarray(timesteps, np.int64)}
    for feeds in samples:
        known: Tensors = {**feeds, **clock}
        emitted = np.asarray(session.run(known, [stream])[stream], np.float32)
        if emitted.ndim != 2:
            raise UnsupportedOpError(
                f"a leaky read-out needs class scores [N, K]; '{place.read_out.output[0]}' has "
                f"the shape [N, {', '.join(map(str, emitted.shape[1:]))}]",
                remedy="use read_out='spike-count' or 'current'",
            )
        spikes = np.rint(emitted / place.neurons.quantum)
        yield np.asarray(spikes.reshape(timesteps, -1, emitted.shape[1]), np.float32)


def _insert(
    model: SpikingModel, place: _Place, weights: Weights, leak: float, samples: int
) -> SpikingModel:
    name, stream = place.read_out.output[0], place.neurons.output
    label, currents = f"{name}/leaky", f"{name}/leaky/arriving"
    spike = np.float32(np.max(place.neurons.quantum))
    constants = {
        "weights": weights.T.astype(np.float32),
        "quantum": np.asarray(spike * np.float32(THRESHOLD), np.float32),
        "current": np.zeros((), np.float32),
        "leak": np.asarray(leak, np.float32),
    }
    clock = list(place.read_out.input)[-2:]
    parameters = [f"{label}/{key}" for key in ("quantum", "current", "leak")]
    synapses = helper.make_node(
        "MatMul", [stream, f"{label}/weights"], [currents], f"{label}/synapses"
    )
    neurons = helper.make_node(
        LeakyIntegrateFire.name,
        [currents, *parameters, *clock],
        [f"{label}/stream"],
        label,
        domain=DOMAIN,
    )
    graph = onnx.GraphProto()
    graph.CopyFrom(model.plain.graph)
    nodes = []
    for node in model.plain.graph.node:
        if node.name == place.read_out.name:
            nodes += [synapses, neurons]
            node = _reading(node, neurons.output[0])
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        numpy_helper.from_array(value, f"{label}/{key}") for key, value in constants.items()
    )
    foreign = {entry.domain: entry.version for entry in model.light.opset_import}
    return seal(graph, _told(model.manifest, label, leak, samples), foreign)


def _reading(node: onnx.NodeProto, stream: str) -> onnx.NodeProto:
    """Return a copy of a node with another stream as its first input."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[0] = stream
    return copy


def _told(manifest: Manifest, label: str, leak: float, samples: int) -> Manifest:
    detail = f"leaky layer (gamma = {leak:g}) trained by STDP on {samples} samples, no labels"
    fate = NodeFate(node=label, op=LeakyIntegrateFire.name, fate="encoder", detail=detail)
    return manifest.model_copy(
        update={"read_out": f"spike count of a {detail}", "nodes": (*manifest.nodes, fate)}
    )

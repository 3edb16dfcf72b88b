"""The conversion error of every layer, and what has added up before it.

    own_l         = || q_l(a_l) - a_l || / || a_l ||    layer l alone, on the ANN's input
    accumulated_l = || s_l - a_l || / || a_l ||         layer l behind the spiking prefix, at rest

Deng and Gu reduce the conversion error by recursion: what arrives at layer l is at most its own
error plus the accumulated one of the layers before, passed on through the weights. A layer whose
own error is large is to blame; one whose accumulated error is large beside a small own one is not.
Source: Deng and Gu, ICLR 2021 (recursive reduction to layer-wise errors).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnx2snn.converter.graph.segments import cut
from onnx2snn.converter.planning.network import PlannedNetwork
from onnx2snn.converter.report import LayerError
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors
from onnx2snn.ir.types import Array

SAMPLES = 8


def measure_layer_errors(
    model: SpikingModel,
    network: PlannedNetwork,
    currents: Mapping[str, NDArray[np.float32]],
    samples: Tensors,
) -> tuple[LayerError, ...]:
    """Return the errors of all layers of neurons but the input encoders, in topological order.

    Args:
        model: the spiking model.
        network: the ANN with its sites.
        currents: constant part by tensor of the ANN: what the ANN's input is beside the stream.
        samples: calibration feeds; few are enough.
    """
    layers = {layer.name: layer for layer in model.neurons}
    sites = [site for site in network.sites if site.role != "input" and site.name in layers]
    if not sites:
        return ()
    wanted = list(dict.fromkeys(name for site in sites for name in (site.source, site.target)))
    values = _run(Session(cut(network.model, (), wanted)), samples)
    streams = [layers[site.name].output for site in sites]
    quantised = settle(model, streams)
    spiking = Session(quantised)
    reached = spiking.run({name: samples[name] for name in model.inputs}, streams)
    errors = []
    for site in sites:
        layer = layers[site.name]
        alone = Session(cut(quantised, {layer.input}, [layer.output]))
        stream = values[site.source] - currents[site.source]
        own = _run(alone, {layer.input: np.asarray(stream, np.float32)})[layer.output]
        target = values[site.target]
        errors.append(
            LayerError(
                layer=site.name,
                own=_relative(own, target),
                accumulated=_relative(np.asarray(reached[layer.output], np.float32), target),
            )
        )
    return tuple(errors)


def _run(session: Session, feeds: Tensors) -> dict[str, Array]:
    values = session.run({name: feeds[name] for name in session.inputs})
    return {name: np.asarray(value, np.float32) for name, value in values.items()}


def _relative(found: Array, target: Array) -> float:
    size = float(np.linalg.norm(np.asarray(target, np.float64)))
    return float(np.linalg.norm(np.asarray(found - target, np.float64))) / max(size, 1e-30)

"""Compensation of propagation error: slightly larger weights, searched on calibration data.

    W <- kappa W,  b <- kappa b    in front of every layer of neurons,  kappa >= 1

Residual charge makes every layer of rate coding emit a little too little, and the loss adds up with
depth; a factor close to 1 makes up for it. The factor stands in front of the neuron, so that an
identity shortcut is enlarged as well as the convolution beside it.
Source: Hu, Tang and Pan, "Spiking Deep Residual Networks", 2018, sec. 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnx2snn.converter.calibration.samples import Samples
from onnx2snn.converter.calibration.search_timesteps import output_loss
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors

FACTORS = (1.0, 1.01, 1.02, 1.05, 1.1)
MOST_SAMPLES = 64
PART = 256
"""Samples times timesteps that are run at once."""


def compensate(
    model: SpikingModel,
    ann: onnx.ModelProto,
    samples: Samples,
    *,
    factors: Sequence[float] = FACTORS,
    library: str | None = None,
) -> tuple[SpikingModel, float]:
    """Return the model with the factor of least loss after its T timesteps, and the factor.

    Args:
        model: a sealed model in the folded layout.
        ann: the canonical ANN.
        samples: calibration data.
        factors: the grid; of equal ones the first is taken.
        library: custom-op library that runs neurons compiled, if there is one.
    """
    few = replace(samples, feeds=samples.first(MOST_SAMPLES))
    part = max(1, PART // model.manifest.timesteps)
    reference = _run(Session(ann), few, part)
    losses = []
    for factor in factors:
        session = Session(enlarged(model, factor).light, library=library)
        losses.append(output_loss(reference, _run(session, few, part)))
    best = float(factors[int(np.argmin(losses))])
    return enlarged(model, best), best


def _run(session: Session, samples: Samples, part: int) -> dict[str, NDArray[np.generic]]:
    results: list[Tensors] = [session.run(feeds) for feeds in samples.batches(part)]
    return {name: np.concatenate([r[name] for r in results]) for name in results[0]}


def enlarged(model: SpikingModel, factor: float) -> SpikingModel:
    """Return the model with the input of every layer of neurons times a factor.

    Input encoders are left alone: nothing was lost in front of them.
    """
    if factor == 1.0:
        return model
    proto = onnx.ModelProto()
    proto.CopyFrom(model.light)
    graph = proto.graph
    makers = {name: node for node in graph.node for name in node.output}
    shapes = {info.name: info for info in graph.value_info}
    values = {tensor.name: tensor for tensor in graph.initializer}
    scale = np.asarray(factor, np.float32)
    chosen = {
        layer.output: layer
        for layer in model.neurons
        if makers[layer.input].op_type not in ("DirectCurrent", "PoissonSpikes", "FirstSpike")
    }
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        layer = chosen.get(node.output[0]) if node.output else None
        if layer is not None:
            constant, larger = f"{layer.name}/compensation", f"{layer.name}/compensated"
            known = shapes.get(layer.input)
            rank = 0 if known is None else len(known.type.tensor_type.shape.dim)
            graph.initializer.append(numpy_helper.from_array(scale.reshape([1] * rank), constant))
            nodes.append(helper.make_node("Mul", [layer.input, constant], [larger], name=larger))
            node.input[0] = larger
            current = values[node.input[layer.op.inputs.index("current")]]
            current.CopyFrom(
                numpy_helper.from_array(np.asarray(layer.current * scale), current.name)
            )
            if known is not None:
                info = graph.value_info.add()
                info.CopyFrom(known)
                info.name = larger
        nodes.append(node)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    return SpikingModel(proto, model.weights)

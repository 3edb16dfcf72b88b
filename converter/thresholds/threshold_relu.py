"""Threshold ReLU: clip the ANN's activations as low as its answers allow.

    a -> min(max(a, -theta), theta),   theta_c = f reach_c,   f = least of a grid with loss <= 1 %

A lower threshold makes every spike worth less, so fewer timesteps express an activation. Deng and
Gu train the ANN with the clipped activation; a trained ANN is given here, so the clip is searched:
one fraction f of the calibrated ranges for all layers. The loss is the share of changed top-1
answers (relative error where nothing classifies) on the calibration data.
Source: Deng and Gu, ICLR 2021 (threshold ReLU, threshold balancing).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.converter.calibration.samples import Samples
from onnx2snn.converter.calibration.search_timesteps import output_loss
from onnx2snn.converter.calibration.statistics import ChannelStatistics
from onnx2snn.converter.planning.sites import Site
from onnx2snn.ir.session import Session, Tensors

FRACTIONS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
MOST_LOSS = 0.01
PART = 32
"""Samples that are run at once."""


def clip_activations(
    model: onnx.ModelProto,
    sites: Sequence[Site],
    statistics: Mapping[str, ChannelStatistics],
    samples: Samples,
) -> dict[str, ChannelStatistics]:
    """Return the statistics with the threshold of the clipped ANN as their reach.

    Args:
        model: the planned ANN.
        sites: places of neurons.
        statistics: of the activations, by site name.
        samples: calibration data.
    """
    layers = [site for site in sites if site.role == "neuron" and site.name in statistics]
    session = Session(_clipped(model, layers))
    bounds: Tensors = {_bound(site): _shaped(site, statistics[site.name].reach) for site in layers}
    chosen, reference = 1.0, _run(session, samples, bounds)
    for fraction in FRACTIONS[1:]:
        tried: Tensors = {
            name: np.asarray(bound, np.float32) * np.float32(fraction)
            for name, bound in bounds.items()
        }
        if output_loss(reference, _run(session, samples, tried)) > MOST_LOSS:
            break
        chosen = fraction
    clipped = {site.name: _clip(statistics[site.name], chosen) for site in layers}
    return {**statistics, **clipped}


def _clip(statistics: ChannelStatistics, fraction: float) -> ChannelStatistics:
    reach = statistics.reach * fraction
    return replace(
        statistics,
        least=np.maximum(statistics.least, -reach),
        greatest=np.minimum(statistics.greatest, reach),
    )


def _bound(site: Site) -> str:
    return f"{site.name}/clip"


def _shaped(site: Site, values: NDArray[np.float64]) -> NDArray[np.float32]:
    shape = [-1 if axis == site.axis else 1 for axis in range(len(site.shape))]
    return np.asarray(values, np.float32).reshape(shape)


def _run(session: Session, samples: Samples, bounds: Tensors) -> Tensors:
    results = [session.run({**few, **bounds}) for few in samples.batches(PART)]
    return {name: np.concatenate([r[name] for r in results]) for name in results[0]}


def _clipped(model: onnx.ModelProto, sites: Sequence[Site]) -> onnx.ModelProto:
    """Return the ANN with every activation clipped to a bound that is an input."""
    clipped = onnx.ModelProto()
    clipped.CopyFrom(model)
    graph = clipped.graph
    by_target = {site.target: site for site in sites}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        site = by_target.get(node.output[0]) if node.output else None
        if site is not None:
            free, below, low = (f"{_bound(site)}/{part}" for part in ("free", "below", "low"))
            node.output[0] = free
            nodes.append(helper.make_node("Neg", [_bound(site)], [low]))
            nodes.append(helper.make_node("Max", [free, low], [below]))
            nodes.append(helper.make_node("Min", [below, _bound(site)], [site.target]))
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    graph.input.extend(
        helper.make_tensor_value_info(_bound(site), onnx.TensorProto.FLOAT, None) for site in sites
    )
    return clipped

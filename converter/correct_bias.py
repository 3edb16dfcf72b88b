"""Sequential bias correction: each layer's constant absorbs the mean error of the prefix.

    c_channel += mean(ANN activation) - mean(quantised activation), layer by layer

The quantised prefix is run one segment at a time on stored activations, so the cost is linear in
the depth of the network. Only calibration data is used.
Source: Li et al., ICML 2021 (SNN calibration, bias correction), here on the settled network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.converter.segments import cut
from onnx2snn.converter.sites import NeuronParameters, Site, parameters_of
from onnx2snn.ir.session import Session, Tensors


def correct_bias(
    model: onnx.ModelProto,
    sites: Sequence[Site],
    neurons: Mapping[str, NeuronParameters],
    currents: Mapping[str, NDArray[np.float32]],
    samples: Tensors,
    stimulus: int,
) -> dict[str, NDArray[np.float32]]:
    """Return the corrected constant currents of all sites.

    Args:
        model: the planned ANN.
        sites: places of the neurons in topological order.
        neurons: their parameters by site name.
        currents: constant part of each site's input by tensor name.
        samples: calibration feeds, all at once; cap their number.
        stimulus: S, or the T the thresholds are optimised for.
    """
    boundary = {site.target for site in sites}
    exact: Tensors = dict(samples)
    rough: Tensors = dict(samples)
    last_use = _last_uses(model, sites, boundary)
    corrected = dict(currents)
    for index, site in enumerate(sites):
        z_exact, z_rough = _segment(model, boundary, site, exact, rough)
        a_exact = _run_activation(model, site, z_exact)
        constant = currents[site.source]
        if site.role == "neuron":
            axes = tuple(i for i in range(z_rough.ndim) if i != site.axis)
            for _ in range(2):
                shifted = z_rough + (corrected[site.source] - constant)
                settled = _settle(site, neurons[site.name], shifted, stimulus)
                gap = (a_exact - settled).mean(axis=axes, keepdims=True)
                corrected[site.source] = (corrected[site.source] + gap).astype(np.float32)
        shifted = z_rough + (corrected[site.source] - constant)
        exact[site.target] = a_exact
        rough[site.target] = _settle(site, neurons[site.name], shifted, stimulus)
        for name in last_use.get(index, ()):
            exact.pop(name, None)
            rough.pop(name, None)
    return corrected


def _settle(
    site: Site, neuron: NeuronParameters, z: NDArray[np.generic], stimulus: int
) -> NDArray[np.float32]:
    """Return the quantised activation of z, which already contains the constant part."""
    parameters = parameters_of(neuron, site, np.zeros((), np.float32), stimulus)
    return neuron.op.settled(np.asarray(z, np.float32), parameters)


def _segment(
    model: onnx.ModelProto,
    boundary: set[str],
    site: Site,
    exact: Tensors,
    rough: Tensors,
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    if site.source in exact:
        return exact[site.source], rough[site.source]
    session = Session(cut(model, boundary, [site.source]))
    return tuple(
        session.run({name: values[name] for name in session.inputs})[site.source]
        for values in (exact, rough)
    )  # type: ignore[return-value]


def _run_activation(
    model: onnx.ModelProto, site: Site, z: NDArray[np.generic]
) -> NDArray[np.float32]:
    """Return the ANN's activation of z."""
    activation = site.activation
    a = activation.soma.evaluate(np.asarray(z, np.float32), activation.parameters)
    return np.clip(a, activation.lower, activation.upper).astype(np.float32)


def _last_uses(
    model: onnx.ModelProto, sites: Sequence[Site], boundary: set[str]
) -> dict[int, list[str]]:
    """Return after which site index each stored activation is no longer read."""
    last: dict[str, int] = {}
    for index, site in enumerate(sites):
        if site.source in boundary:
            last[site.source] = index
            continue
        for info in cut(model, boundary, [site.source]).graph.input:
            last[info.name] = index
    uses: dict[int, list[str]] = {}
    for name, index in last.items():
        uses.setdefault(index, []).append(name)
    return uses

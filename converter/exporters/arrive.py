"""Arrivals: a flow reaches a layer of neurons or an output.

Factors move into the weights just before it, or become scaled 1x1 synapses; the constant current
becomes the bias of one of these synapses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnx2snn.converter.exporters.draw_parts import InexpressibleError, PartMaker
from onnx2snn.converter.exporters.flows import Flow, Term, is_in_order, merged, per_channel
from onnx2snn.converter.exporters.unit_network import Part, Sizes, Weights
from onnx2snn.ir.findings import Finding


def arrive(
    maker: PartMaker, label: str, flow: Flow, shape: Sizes, current: Weights, *, weighted: bool
) -> tuple[list[str], list[Finding]]:
    """Draw the last synapses before a layer.

    Args:
        maker: draws them.
        label: name of the layer.
        flow: what arrives.
        shape: sizes of the layer, without the batch axis.
        current: constant current; broadcasts to [1, *shape].
        weighted: whether every path must end in a synapse (outputs).

    Returns:
        The parts that feed the layer, and what was lost.

    Raises:
        InexpressibleError: the tensor is rearranged in a way no synapse can express.
    """
    full = np.broadcast_to(current, (1, *shape))[0]
    driven = bool(np.any(full))
    last: list[str] = []
    for term in merged(flow):
        direct = _direct(maker, term, weighted or (driven and len(flow) == 1))
        last.append(direct or maker.select(label, term).part)
    findings: list[Finding] = []
    if driven:
        carrier = next((name for name in last if maker.drawing.parts[name].kind == "dense"), None)
        carrier = carrier or next((n for n in last if maker.drawing.parts[n].is_synapse), None)
        if carrier is None or _feeds_others(maker, carrier):
            carrier = maker.select(label, merged(flow)[0]).part
            last[0] = carrier
        findings = _drive(maker, carrier, label, full)
    return [_shaped(maker, name, shape) for name in last], findings


def _direct(maker: PartMaker, term: Term, weighted: bool) -> str | None:
    """Return the part if a term may arrive without a synapse of its own, its factor taken in."""
    part = maker.drawing.parts[term.part]
    if not is_in_order(term, part.size):
        return None
    if part.is_synapse and term.exclusive:
        return part.name if _absorb(maker, part, term.full_factor()) else None
    return part.name if not weighted and bool(np.all(term.factor == 1)) else None


def _absorb(maker: PartMaker, part: Part, factor: Weights) -> bool:
    assert part.weight is not None
    if bool(np.all(factor == 1)):
        return True
    each: Weights | None = factor
    if part.kind == "conv":
        each = per_channel(factor.reshape(1, *part.shape), len(part.shape) + 1, part.shape[0])
    if each is None:
        return False
    column = each.reshape(-1, *[1] * (part.weight.ndim - 1))
    maker.drawing.change(part.name, weight=part.weight * column)
    return True


def _feeds_others(maker: PartMaker, name: str) -> bool:
    return any(source == name for source, _ in maker.drawing.edges)


def _drive(maker: PartMaker, carrier: str, label: str, full: Weights) -> list[Finding]:
    """Make the constant current the bias of a synapse; tell if it loses its place."""
    part = maker.drawing.parts[carrier]
    placed = full.reshape(part.shape)
    findings = []
    bias = placed
    if part.kind == "conv":
        bias = placed.reshape(part.shape[0], -1).mean(axis=1)
        spread = float(np.abs(placed - bias.reshape(-1, *[1] * (placed.ndim - 1))).max())
        if spread > 1e-6 * max(1.0, float(np.abs(bias).max())):
            findings.append(_position(label, spread))
    maker.drawing.change(carrier, bias=bias)
    if part.kind == "conv" and not maker.profile.bias:
        findings.append(_no_bias(label, maker.profile.name))
    return findings


def _position(label: str, spread: float) -> Finding:
    return Finding(
        code="position-dependent-current",
        severity="warning",
        message=(
            "the constant current depends on the position; a convolution has one bias per "
            f"channel, so it gets the mean (off by at most {spread:.3g} thresholds per timestep)"
        ),
        node=label,
        remedy="train the network with the normalisation behind the convolution, not before it",
    )


def _no_bias(label: str, target: str) -> Finding:
    return Finding(
        code="no-bias",
        severity="error",
        message=f"{target} reads no bias of a convolution",
        node=label,
        remedy="train the network without biases, or choose another target",
    )


def _shaped(maker: PartMaker, name: str, shape: Sizes) -> str:
    if maker.drawing.parts[name].shape == shape:
        return name
    if len(shape) == 1:
        return maker.flat(name)
    raise InexpressibleError(f"it reads a vector as {'x'.join(map(str, shape))}")


__all__: Sequence[str] = ("arrive",)

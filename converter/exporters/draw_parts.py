"""Parts out of linear operators: convolutions, dense layers, pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.converter.exporters.fit_kernel import Windows, fit_kernel, without_groups
from onnx2snn.converter.exporters.flows import Selection, Term, per_channel, selection, whole
from onnx2snn.converter.exporters.profiles import Profile
from onnx2snn.converter.exporters.unit_network import Drawing, Part, Sizes, Weights

MOST_WEIGHTS = 2**27


class InexpressibleError(Exception):
    """A node has no counterpart among the parts; the message says why."""


@dataclass(frozen=True)
class Step:
    """One node of the spiking model while it is drawn.

    Attributes:
        node: the node.
        inner: sizes of its input, without the batch axis.
        outer: sizes of its output, without the batch axis.
    """

    node: onnx.NodeProto
    inner: Sizes
    outer: Sizes

    def numbers(self, name: str, default: Sequence[int]) -> Sizes:
        """Return an attribute that lists integers."""
        for attribute in self.node.attribute:
            if attribute.name == name:
                return tuple(helper.get_attribute_value(attribute))
        return tuple(default)

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is one number."""
        found = (helper.get_attribute_value(a) for a in self.node.attribute if a.name == name)
        return float(next(found, default))

    @property
    def label(self) -> str:
        """Return the name of the node, or of what it computes."""
        return str(self.node.name or self.node.output[0])


class PartMaker:
    """Draws synapses and pools.

    Args:
        drawing: where to draw.
        profile: what the target reads.
    """

    def __init__(self, drawing: Drawing, profile: Profile) -> None:
        self.drawing = drawing
        self.profile = profile
        self._flattened: dict[str, str] = {}

    def conv(self, step: Step, term: Term, weight: NDArray[np.generic]) -> Term:
        """Draw a convolution behind one term of its input."""
        kernel = tuple(weight.shape[2:])
        if not 1 <= len(kernel) <= 2:
            raise InexpressibleError(f"a convolution over {len(kernel)} axes")
        dense = without_groups(np.asarray(weight, np.float64), int(step.number("group", 1)))
        term, channels, factor = self._channels(step.label, term)
        scaled = dense * factor.reshape(1, -1, *[1] * len(kernel))
        width = self.drawing.parts[term.part].shape[0]
        scattered = np.zeros((dense.shape[0], width, *kernel))
        heard = channels >= 0
        np.add.at(scattered.swapaxes(0, 1), channels[heard], scaled[:, heard].swapaxes(0, 1))
        return self._convolve(step.label, term.part, scattered, windows(step, kernel))

    def dense(self, label: str, term: Term, matrix: Weights) -> Term:
        """Draw a dense layer behind one term of its input; ``matrix`` is [out, in]."""
        part = self.drawing.parts[term.part]
        index, factor = term.index.reshape(-1), term.full_factor()
        if matrix.shape[1] != index.size:
            raise InexpressibleError("a matrix product along one axis of several")
        if matrix.shape[0] * part.size > MOST_WEIGHTS:
            raise InexpressibleError("it would take a dense layer of more than 128 M weights")
        heard = index > 0
        columns, scaled = index[heard] - 1, (matrix * factor)[:, heard]
        scattered = np.zeros((matrix.shape[0], part.size))
        if np.unique(columns).size == columns.size:
            scattered[:, columns] = scaled
        else:
            np.add.at(scattered.T, columns, scaled.T)
        shape = (matrix.shape[0],)
        layer = Part(label, "dense", shape, label, weight=scattered, bias=np.zeros(shape))
        return whole(self.drawing.add(layer, [self.flat(term.part)]), shape)

    def pool(self, step: Step, term: Term, area: Windows, padded: bool) -> Term:
        """Draw an average pool behind one term of its input.

        Args:
            step: the node.
            term: what it pools.
            area: the windows; ``outputs`` are those of the node.
            padded: whether padding counts in the averages.
        """
        term, channels, factor = self._channels(step.label, term)
        shape = self.drawing.parts[term.part].shape
        if not np.array_equal(channels, np.arange(shape[0])) or factor.size != shape[0]:
            term, factor = self.select(step.label, term), np.ones(len(channels))
            shape = self.drawing.parts[term.part].shape
        column = (1, -1, *[1] * len(area.kernel))
        size = int(np.prod(area.kernel))
        scale = factor.reshape(column) * (1.0 if padded else size / _counts(area))
        plain = not any(area.pads) and area.is_symmetric
        if len(area.kernel) == 2 and self._reads_pool(area, plain):
            kind = "mean-pool" if self.profile.pools == "mean" else "sum-pool"
            layer = Part(
                step.label,
                "mean-pool" if kind == "mean-pool" else "sum-pool",
                (shape[0], *area.outputs),
                step.label,
                kernel=area.kernel,
                stride=area.stride,
                padding=area.pads,
            )
            name = self.drawing.add(layer, [term.part])
            return whole(name, layer.shape).scaled(
                scale if kind == "mean-pool" else np.asarray(scale / size)
            )
        diagonal = np.eye(shape[0]).reshape(shape[0], shape[0], *[1] * len(area.kernel))
        weight = np.broadcast_to(diagonal / size, (shape[0], shape[0], *area.kernel))
        return self._convolve(step.label, term.part, weight, area).scaled(np.asarray(scale))

    def select(self, label: str, term: Term) -> Term:
        """Draw a synapse that makes the tensor of a term: 1x1, scaled, diagonal or selecting."""
        part = self.drawing.parts[term.part]
        sizes = term.index.shape[1:]
        name = f"{label}_shortcut"
        chosen = selection(term, part.shape)
        if chosen is None or len(sizes) == 1:
            if len(sizes) != 1:
                raise InexpressibleError("it reads a tensor whose elements were rearranged")
            return self.dense(name, term, np.eye(sizes[0]))
        factor = per_channel(term.factor, len(sizes) + 1, sizes[0])
        if factor is None:
            raise InexpressibleError("it scales a tensor by factors that depend on the position")
        ones = (1,) * (len(sizes) - 1)
        weight = np.zeros((sizes[0], part.shape[0], *ones))
        heard = chosen.channels >= 0
        weight[np.flatnonzero(heard), chosen.channels[heard]] = factor[heard].reshape(-1, *ones)
        zeros = tuple(0 for _ in ones)
        area = Windows(part.shape[1:], tuple(sizes[1:]), ones, chosen.stride, zeros, ones)
        return self._convolve(name, term.part, weight, area)

    def flat(self, name: str) -> str:
        """Return a part as a vector: itself, or a flattening behind it."""
        part = self.drawing.parts[name]
        if len(part.shape) == 1:
            return name
        if name not in self._flattened:
            layer = Part(f"{name}_flat", "flatten", (part.size,), part.source)
            self._flattened[name] = self.drawing.add(layer, [name])
        return self._flattened[name]

    def _channels(self, label: str, term: Term) -> tuple[Term, NDArray[np.int64], Weights]:
        """Return a term as channels of its part, all rows and columns, and their factors."""
        part = self.drawing.parts[term.part]
        rank, width = term.index.ndim, term.index.shape[1]
        chosen = selection(term, part.shape)
        factor = per_channel(term.factor, rank, width)
        if chosen is None or factor is None or not chosen.is_dense:
            term = self.select(label, term)
            chosen = Selection(np.arange(width), ())
            factor = np.ones(width)
        return term, chosen.channels, factor

    def _convolve(self, label: str, source: str, weight: Weights, area: Windows) -> Term:
        fitted = fit_kernel(weight, area)
        if fitted is None:
            raise InexpressibleError("its padding fits no symmetric window")
        kernel = fitted.weight
        if kernel.size > MOST_WEIGHTS:
            raise InexpressibleError("it would take a convolution of more than 128 M weights")
        layer = Part(
            label,
            "conv",
            (kernel.shape[0], *area.outputs),
            label,
            weight=kernel,
            bias=np.zeros(kernel.shape[0]),
            stride=area.stride,
            padding=fitted.padding,
            dilation=fitted.dilation,
        )
        return whole(self.drawing.add(layer, [source]), layer.shape)

    def _reads_pool(self, area: Windows, plain: bool) -> bool:
        if self.profile.pools == "none" or any(step != 1 for step in area.dilation):
            return False
        return plain or (area.is_symmetric and self.profile.pool_padding)


def windows(step: Step, kernel: Sizes) -> Windows:
    """Return the windows of a convolution or pool."""
    ones = [1] * len(kernel)
    pads = step.numbers("pads", [0] * 2 * len(kernel))
    return Windows(
        inputs=step.inner[1:],
        outputs=step.outer[1:],
        kernel=kernel,
        stride=step.numbers("strides", ones),
        pads=pads[: len(kernel)],
        dilation=step.numbers("dilations", ones),
    )


def everything(step: Step) -> Windows:
    """Return the one window of a global pool."""
    sizes = step.inner[1:]
    ones, zeros = (1,) * len(sizes), (0,) * len(sizes)
    return Windows(sizes, ones, sizes, ones, zeros, ones)


def _counts(area: Windows) -> Weights:
    """Return how many elements of the input each window holds, [1, 1, *outputs]."""
    total = np.ones((), np.float64)
    for axis, taps in enumerate(area.kernel):
        first = np.arange(area.outputs[axis]) * area.stride[axis] - area.pads[axis]
        reads = first[:, None] + np.arange(taps) * area.dilation[axis]
        count = ((reads >= 0) & (reads < area.inputs[axis])).sum(axis=1)
        total = total[..., None] * count
    return np.asarray(total[None, None])


def exclusively(term: Term, alone: bool) -> Term:
    """Return the term, no longer exclusive unless its tensor has one reader."""
    return term if alone else replace(term, exclusive=False)

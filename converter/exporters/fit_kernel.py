"""Kernels that suit exchange formats: dense, square, and padded alike on both sides.

A tap of weight zero changes nothing, so a kernel may grow: by k' - k zeros, a of them in front, it
reads the same data from padding p' = p + a d, as long as the number of windows stays what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnx2snn.converter.exporters.unit_network import Sizes, Weights

_MOST_ZEROS = 64


@dataclass(frozen=True)
class Windows:
    """The windows of a convolution or pool.

    Attributes:
        inputs: spatial sizes of the input.
        outputs: spatial sizes of the output.
        kernel: window.
        stride: steps.
        pads: zeros in front, per axis; what stands behind follows from ``outputs``.
        dilation: spacing of the taps.
    """

    inputs: Sizes
    outputs: Sizes
    kernel: Sizes
    stride: Sizes
    pads: Sizes
    dilation: Sizes

    @property
    def is_symmetric(self) -> bool:
        """Whether the same padding on both sides gives these outputs."""
        return all(
            _windows(n, pad, k, s, d) == out
            for n, out, k, s, pad, d in zip(
                self.inputs,
                self.outputs,
                self.kernel,
                self.stride,
                self.pads,
                self.dilation,
                strict=True,
            )
        )


@dataclass(frozen=True)
class Fitted:
    """A kernel as long on all axes.

    Attributes:
        weight: [out, in, *kernel].
        padding: on both sides, per axis.
        dilation: spacing of the taps.
    """

    weight: Weights
    padding: Sizes
    dilation: Sizes


def fit_kernel(weight: Weights, windows: Windows) -> Fitted | None:
    """Return the weight as a square kernel with symmetric padding; None if there is none.

    At stride 1 a kernel of even length shifts the size by an odd number, one of odd length by an
    even number: where two axes differ in that, no square kernel fits.
    """
    fitted = _fit(weight, windows)
    if fitted is None and any(step > 1 for step in windows.dilation):
        spread, dense = _without_dilation(weight, windows)
        fitted = _fit(spread, dense)
    return fitted


def _fit(weight: Weights, windows: Windows) -> Fitted | None:
    longest = max(windows.kernel)
    for length in range(longest, longest + _MOST_ZEROS):
        grown = [_grow(windows, axis, length) for axis in range(len(windows.kernel))]
        if all(zeros is not None for zeros in grown):
            fronts = [zeros for zeros in grown if zeros is not None]
            return _enlarged(weight, windows, length, fronts)
    return None


def _grow(windows: Windows, axis: int, length: int) -> int | None:
    """Return the zeros in front of a kernel of that length; None if it cannot be that long."""
    for front in range(length - windows.kernel[axis] + 1):
        pad = windows.pads[axis] + front * windows.dilation[axis]
        count = _windows(
            windows.inputs[axis], pad, length, windows.stride[axis], windows.dilation[axis]
        )
        if count == windows.outputs[axis]:
            return front
    return None


def _enlarged(weight: Weights, windows: Windows, length: int, fronts: Sequence[int]) -> Fitted:
    margins = [
        (front, length - kernel - front)
        for front, kernel in zip(fronts, windows.kernel, strict=True)
    ]
    pads = tuple(
        pad + front * step
        for pad, front, step in zip(windows.pads, fronts, windows.dilation, strict=True)
    )
    grown = np.pad(weight, [(0, 0), (0, 0), *margins])
    return Fitted(grown, pads, windows.dilation)


def _without_dilation(weight: Weights, windows: Windows) -> tuple[Weights, Windows]:
    """Return the same windows with the gaps between taps filled by zeros."""
    kernel = tuple(
        (taps - 1) * step + 1 for taps, step in zip(windows.kernel, windows.dilation, strict=True)
    )
    spread = np.zeros((*weight.shape[:2], *kernel), weight.dtype)
    spread[(slice(None), slice(None), *(slice(None, None, d) for d in windows.dilation))] = weight
    return spread, replace(windows, kernel=kernel, dilation=(1,) * len(kernel))


def _windows(size: int, pad: int, kernel: int, stride: int, dilation: int) -> int:
    return (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1


def without_groups(weight: Weights, groups: int) -> Weights:
    """Return the dense weight [out, in, *kernel] of a grouped convolution."""
    if groups == 1:
        return weight
    outputs, per_group = weight.shape[:2]
    dense = np.zeros((outputs, per_group * groups, *weight.shape[2:]), weight.dtype)
    for output in range(outputs):
        start = output // (outputs // groups) * per_group
        dense[output, start : start + per_group] = weight[output]
    return dense

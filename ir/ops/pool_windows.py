"""Max-pooling in numpy, for the numpy steps of the spiking pools.

Written out because the reference evaluator of onnx 1.23 mixes up the axes of ``pads`` when all
strides are 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnx2snn.ir.types import Array, Parameters


def pool_windows(x: Array, parameters: Parameters) -> Array:
    """Return MaxPool of x [N, C, *S] as in ONNX.

    Parameters: ``kernel_shape`` and, if given, ``strides``, ``pads``, ``dilations``, ``ceil_mode``.
    """
    windows = _windows(x, parameters, np.float32(-np.inf))
    return np.asarray(windows.max(axis=-1), dtype=np.float32)


def pool_winners(x: Array, parameters: Parameters) -> NDArray[np.int64]:
    """Return for every window of MaxPool the flat index of its maximum in x; the first, if tied."""
    winners = _windows(x, parameters, np.float32(-np.inf)).argmax(axis=-1)[..., None]
    places = np.arange(x.size, dtype=np.int64).reshape(x.shape)
    found = np.take_along_axis(_windows(places, parameters, np.int64(-1)), winners, axis=-1)
    return np.asarray(found[..., 0], dtype=np.int64)


def _windows(
    x: NDArray[np.generic], parameters: Parameters, outside: np.generic
) -> NDArray[np.generic]:
    """Return the content of all windows, [N, C, *outputs, prod kernel]."""
    kernel = np.asarray(parameters["kernel_shape"]).tolist()
    ndim = len(kernel)
    strides = np.asarray(parameters.get("strides", np.ones(ndim, np.int64))).tolist()
    pads = np.asarray(parameters.get("pads", np.zeros(2 * ndim, np.int64))).tolist()
    dilations = np.asarray(parameters.get("dilations", np.ones(ndim, np.int64))).tolist()
    ceil = int(parameters.get("ceil_mode", np.int64(0)))
    for i in range(ndim):
        axis = 2 + 2 * i
        size, reach = x.shape[axis], dilations[i] * (kernel[i] - 1) + 1
        room = size + pads[i] + pads[i + ndim] - reach
        outputs = (-(-room // strides[i]) if ceil else room // strides[i]) + 1
        if ceil and (outputs - 1) * strides[i] >= size + pads[i]:
            outputs -= 1  # no window starts in the padding at the end
        starts = np.arange(outputs)[:, None] * strides[i]
        taken = starts + np.arange(kernel[i]) * dilations[i]
        missing = max(0, int(taken.max()) + 1 - size - pads[i])
        widths = [(0, 0)] * x.ndim
        widths[axis] = (pads[i], missing)
        padded = np.pad(x, widths, constant_values=outside)
        x = np.take(padded, taken, axis=axis)
    kernels = [3 + 2 * i for i in range(ndim)]
    moved = np.moveaxis(x, kernels, range(-ndim, 0))
    return moved.reshape(*moved.shape[: 2 + ndim], -1)

"""A reader and runner of NIR files in numpy, written from the NIR paper alone: the judge."""

from __future__ import annotations

import io

import nir
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def windows(x, kernel, stride, padding, dilation):
    """[N, C, *space] -> [N, C, *outputs, *kernel]."""
    space = len(kernel)
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    views = sliding_window_view(x, reach, axis=tuple(range(2, 2 + space)))
    steps = tuple(slice(None, None, s) for s in stride)
    taps = tuple(slice(None, None, d) for d in dilation)
    return views[(slice(None), slice(None), *steps, *taps)]


def _pair(value, space):
    return tuple(np.broadcast_to(np.asarray(value, int), space).tolist())


def conv(node, x):
    space = node.weight.ndim - 2
    views = windows(
        x,
        node.weight.shape[2:],
        _pair(node.stride, space),
        _pair(node.padding, space),
        _pair(node.dilation, space),
    )
    taps = tuple(range(2 + space, 2 + 2 * space))
    y = np.tensordot(
        views, node.weight.astype(np.float64), axes=((1, *taps), (1, *range(2, 2 + space)))
    )
    return np.moveaxis(y, -1, 1) + node.bias.reshape(1, -1, *[1] * space)


def pool(node, x):
    ones = np.ones(2, int)
    views = windows(
        x, _pair(node.kernel_size, 2), _pair(node.stride, 2), _pair(node.padding, 2), ones
    )
    total = views.sum(axis=(-1, -2))
    return total if isinstance(node, nir.SumPool2d) else total / np.prod(node.kernel_size)


def run(content: bytes, inputs: dict, timesteps: int, reset: str = "subtract"):
    """Return the summed outputs and the spike trains [T, N, ...] of every IF node."""
    graph = nir.read(io.BytesIO(content))
    order = _order(graph)
    potential: dict = {}
    trains = {name: [] for name, node in graph.nodes.items() if isinstance(node, nir.IF)}
    sums: dict = {}
    for _ in range(timesteps):
        values: dict = {}
        for name in order:
            node = graph.nodes[name]
            given = [values[a] for a, b in graph.edges if b == name]
            if isinstance(node, nir.Input):
                values[name] = inputs[name].astype(np.float64)
                assert values[name].shape[1:] == tuple(node.input_type["input"])
                continue
            x = sum(given[1:], given[0])
            if isinstance(node, nir.Conv2d | nir.Conv1d):
                values[name] = conv(node, x)
            elif isinstance(node, nir.Affine):
                values[name] = x @ node.weight.T.astype(np.float64) + node.bias
            elif isinstance(node, nir.SumPool2d | nir.AvgPool2d):
                values[name] = pool(node, x)
            elif isinstance(node, nir.Flatten):
                assert node.start_dim == 0
                values[name] = x.reshape(len(x), -1)
            elif isinstance(node, nir.IF):
                u = potential.get(name, 0.0) + node.r * x
                spikes = (u >= node.v_threshold - 1e-6).astype(np.float64)
                lost = spikes * node.v_threshold
                potential[name] = (
                    u - lost if reset == "subtract" else np.where(spikes, node.v_reset, u)
                )
                trains[name].append(spikes)
                values[name] = spikes
            else:
                assert isinstance(node, nir.Output)
                values[name] = x
                sums[name] = sums.get(name, 0.0) + x
    return sums, {name: np.stack(train) for name, train in trains.items()}


def _order(graph) -> list[str]:
    order: list[str] = []
    waiting = list(graph.nodes)
    while waiting:
        ready = [n for n in waiting if all(a in order for a, b in graph.edges if b == n)]
        assert ready
        order += ready
        waiting = [n for n in waiting if n not in order]
    return order

"""A spiking net in PyTorch, made from the nodes of the ANN it was converted from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnx2snn.ir.model import SpikingModel

Neurons = Callable[[Any], Any]
"""From currents [T, N, *F] to spikes [T, N, *F]."""


class SpikingNet:
    """A spiking net as a list of steps over tensors [T*N, ...].

    Args:
        torch: PyTorch.
        ann: the ANN: gives the synapses.
        model: its spiking form: gives the thresholds, one for each layer.
        neurons: makes one layer of neurons.
        channels_last: keep images as [N, H, W, C] in memory.
    """

    def __init__(
        self,
        torch: Any,
        ann: onnx.ModelProto,
        model: SpikingModel,
        neurons: Callable[[], Neurons],
        *,
        channels_last: bool,
    ) -> None:
        self._torch = torch
        self._last = channels_last
        self._functional = torch.nn.functional
        self._nodes = list(ann.graph.node)
        self._output = ann.graph.output[0].name
        self._input = ann.graph.input[0].name
        self._constants = {i.name: numpy_helper.to_array(i) for i in ann.graph.initializer}
        by_name = {layer.name: float(layer.quantum.max()) for layer in model.neurons}
        self._thresholds = {
            node.output[0]: by_name[node.name] for node in self._nodes if node.op_type == "Relu"
        }
        self._scales = {self._input: 1.0}  # what a unit of a tensor is worth
        self._steps: list[tuple[str, str, Callable[..., Any], list[str]]] = []
        for node in self._nodes:
            self._add(node, neurons)
        last = {name: place for place, step in enumerate(self._steps) for name in step[3]}
        self._done = [
            [n for n, at in last.items() if at == place] for place in range(len(self._steps))
        ]

    def _target(self, name: str) -> float:
        """Return the threshold of the neurons that a sum of currents reaches; 1 if none."""
        for node in self._nodes:
            if name in node.input:
                if node.op_type == "Relu":
                    return self._thresholds[node.output[0]]
                if node.op_type == "Add":
                    return self._target(node.output[0])
        return 1.0

    def _add(self, node: onnx.NodeProto, neurons: Callable[[], Neurons]) -> None:
        torch, given = self._torch, {a.name: helper.get_attribute_value(a) for a in node.attribute}
        out, first = node.output[0], node.input[0]
        scale = self._scales[first]
        run: Callable[..., Any]
        inputs, kind = [first], "linear"
        if node.op_type in ("Conv", "Gemm"):
            scale_out = self._target(out)
            weights, bias = (self._constants[name] for name in node.input[1:3])
            w = torch.from_numpy(np.ascontiguousarray(weights * (scale / scale_out)))
            b = torch.from_numpy(np.ascontiguousarray(bias / scale_out))
            if self._last and w.ndim == 4:
                w = w.to(memory_format=torch.channels_last)
            run = self._conv(w, b, given) if node.op_type == "Conv" else self._dense(w, b)
            self._scales[out] = scale_out
        elif node.op_type == "Relu":
            kind, run = "neurons", neurons()
            self._scales[out] = self._thresholds[out]
        elif node.op_type == "Add":
            inputs, target = list(node.input), self._target(out)
            factors = [self._scales[name] / target for name in inputs]
            run = lambda a, b, fa=factors[0], fb=factors[1]: (  # noqa: E731
                (a if fa == 1 else a * fa) + (b if fb == 1 else b * fb)
            )
            self._scales[out] = target
        elif node.op_type == "AveragePool":
            run = lambda a: self._functional.avg_pool2d(a, 2)  # noqa: E731
            self._scales[out] = scale
        elif node.op_type == "GlobalAveragePool":
            run = lambda a: a.mean((2, 3), keepdim=True)  # noqa: E731
            self._scales[out] = scale
        elif node.op_type == "Flatten":
            run = lambda a: a.flatten(1)  # noqa: E731
            self._scales[out] = scale
        else:
            raise ValueError(f"no form for {node.op_type}")
        self._steps.append((kind, out, run, inputs))

    def _conv(self, w: Any, b: Any, given: dict[str, Any]) -> Callable[[Any], Any]:
        conv = self._functional.conv2d
        return lambda a: conv(a, w, b, stride=given["strides"][0], padding=given["pads"][0])

    def _dense(self, w: Any, b: Any) -> Callable[[Any], Any]:
        return lambda a: self._functional.linear(a, w, b)

    def _fire(self, neurons: Neurons, currents: Any) -> Any:
        if self._last and currents.ndim == 5:  # [T, N, H, W, C] is contiguous then, and stays so
            return neurons(currents.permute(0, 1, 3, 4, 2)).permute(0, 1, 4, 2, 3)
        return neurons(currents)

    def forward(self, image: Any, steps: int) -> Any:
        """Return the mean output over T timesteps; the input's first layer runs once."""
        tensors, once = {self._input: image}, {self._input}
        for (kind, out, run, inputs), done in zip(self._steps, self._done, strict=True):
            given = [tensors[name] for name in inputs]
            if kind == "neurons":
                shape = given[0].shape
                if inputs[0] in once:
                    currents = given[0].unsqueeze(0).expand(steps, *shape)
                else:
                    currents = given[0].unflatten(0, (steps, shape[0] // steps))
                tensors[out] = self._fire(run, currents).flatten(0, 1)
            else:
                tensors[out] = run(*given)
                if all(name in once for name in inputs):
                    once.add(out)
            for name in done:  # so that its memory serves what follows
                del tensors[name]
        result = tensors[self._output]
        return (
            result.unflatten(0, (steps, len(result) // steps)).mean(0) * self._scales[self._output]
        )

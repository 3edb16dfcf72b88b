"""The nets of ``firing_nets`` in other frameworks, to compare speeds with: optional, all PyTorch.

Every framework gets its best setting on a CPU that we know of: time folded into the batch for
synapses, the first layer computed once for the constant input, thresholds folded into the weights
(unit spikes, unit thresholds), no gradients. Each is also offered through ``torch.compile``.

Soft reset and v_0 = 1/2 as in our nets, save where the framework has no such neuron: norse resets
to zero, so its rates differ. ``by hand`` is the plain loop that one writes in PyTorch without any
framework.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnx2snn.ir.model import SpikingModel

Neurons = Callable[[Any], Any]
"""From currents [T, N, *F] to spikes [T, N, *F]."""

FRAMEWORKS = ("by hand", "spikingjelly", "sinabs", "snntorch", "norse")
_MODULES = {name: name for name in FRAMEWORKS[1:]} | {"by hand": "torch"}


def installed() -> tuple[str, ...]:
    """Return the frameworks that are there."""
    if importlib.util.find_spec("torch") is None:
        return ()
    return tuple(name for name in FRAMEWORKS if importlib.util.find_spec(_MODULES[name]))


def _by_hand(torch: Any) -> Neurons:
    def run(x: Any) -> Any:
        v = torch.full_like(x[0], 0.5)
        spikes = torch.empty_like(x)
        for t in range(len(x)):
            v = v + x[t]
            s = (v >= 1.0).to(x.dtype)
            v = v - s
            spikes[t] = s
        return spikes

    return run


def _spikingjelly(torch: Any) -> Neurons:
    from spikingjelly.activation_based import functional, neuron

    node = neuron.IFNode(v_threshold=1.0, v_reset=None, step_mode="m")
    node.eval()

    def run(x: Any) -> Any:
        functional.reset_net(node)
        node.v = 0.5
        return node(x)

    return run


def _sinabs(torch: Any) -> Neurons:
    from sinabs.activation import MembraneSubtract, SingleSpike
    from sinabs.layers import IAF

    layer = IAF(
        spike_threshold=torch.tensor(1.0), spike_fn=SingleSpike, reset_fn=MembraneSubtract()
    )
    layer.eval()

    def run(x: Any) -> Any:
        turned = x.transpose(0, 1)  # batch first
        layer.init_state_with_shape((turned.shape[0], *turned.shape[2:]))
        layer.v_mem.fill_(0.5)
        return layer(turned).transpose(0, 1)

    return run


def _snntorch(torch: Any) -> Neurons:
    import snntorch

    node = snntorch.Leaky(beta=1.0, threshold=1.0, reset_mechanism="subtract")
    node.eval()

    def run(x: Any) -> Any:
        membrane = torch.full_like(x[0], 0.5)
        spikes = []
        for current in x:
            spike, membrane = node(current, membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


def _norse(torch: Any) -> Neurons:
    from norse.torch.functional.iaf import IAFFeedForwardState, IAFParameters, iaf_feed_forward_step

    parameters = IAFParameters(v_th=torch.tensor(1.0), v_reset=torch.tensor(0.0))

    def run(x: Any) -> Any:
        state = IAFFeedForwardState(v=torch.full_like(x[0], 0.5))
        spikes = []
        for current in x:
            spike, state = iaf_feed_forward_step(current, state, parameters)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


_NEURONS: dict[str, Callable[[Any], Neurons]] = {
    "by hand": _by_hand,
    "spikingjelly": _spikingjelly,
    "sinabs": _sinabs,
    "snntorch": _snntorch,
    "norse": _norse,
}


def peer_run(
    name: str,
    ann: onnx.ModelProto,
    model: SpikingModel,
    x: np.ndarray,
    steps: int,
    threads: int,
    *,
    compiled: bool,
) -> Callable[[], np.ndarray]:
    """Load a net into a framework and return what runs it: the mean of the outputs over time.

    Args:
        name: one of ``FRAMEWORKS``.
        ann: the ANN: gives the synapses.
        model: its spiking form: gives the thresholds, one for each layer.
        x: samples [N, *F].
        steps: T.
        threads: threads of PyTorch.
        compiled: whether through ``torch.compile``.
    """
    import torch

    torch.set_num_threads(threads)
    walk = _Walk(torch, ann, model, lambda: _NEURONS[name](torch))
    image = torch.from_numpy(x)
    forward = torch.compile(walk.forward) if compiled else walk.forward

    def run() -> np.ndarray:
        with torch.no_grad():
            return np.asarray(forward(image, steps).numpy())

    return run


class _Walk:
    """A spiking net as a list of steps over tensors [T*N, ...], made from the ANN's nodes."""

    def __init__(
        self, torch: Any, ann: onnx.ModelProto, model: SpikingModel, neurons: Callable[[], Neurons]
    ) -> None:
        self._torch = torch
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

    def forward(self, image: Any, steps: int) -> Any:
        """Return the mean output over T timesteps; the input's first layer runs once."""
        tensors, once = {self._input: image}, {self._input}
        for kind, out, run, inputs in self._steps:
            given = [tensors[name] for name in inputs]
            if kind == "neurons":
                shape = given[0].shape
                if inputs[0] in once:
                    currents = given[0].unsqueeze(0).expand(steps, *shape)
                else:
                    currents = given[0].unflatten(0, (steps, shape[0] // steps))
                tensors[out] = run(currents).flatten(0, 1)
            else:
                tensors[out] = run(*given)
                if all(name in once for name in inputs):
                    once.add(out)
        result = tensors[self._output]
        return (
            result.unflatten(0, (steps, len(result) // steps)).mean(0) * self._scales[self._output]
        )

"""The nets of ``firing_nets`` in other frameworks, to compare speeds with: optional, all PyTorch.

Every framework gets its best setting on a CPU that we know of: time folded into the batch for
synapses, the first layer computed once for the constant input, thresholds folded into the weights
(unit spikes, unit thresholds), no gradients; as it is and through ``torch.compile``, the whole net
in one graph (see ``settings``).

Soft reset and v_0 = 1/2 as in our nets, save where the framework has no such neuron: norse resets
to zero, so its rates differ. ``by hand`` is the plain loop that one writes in PyTorch without any
framework. ``spikingjelly`` is its ``IFNode``, whose timesteps are one operator that a compiler
cannot look into; ``spikingjelly simple`` its ``SimpleIFNode``, plain PyTorch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from peer_net import Neurons, SpikingNet

from onnx2snn.ir.model import SpikingModel

FRAMEWORKS = ("by hand", "spikingjelly", "spikingjelly simple", "sinabs", "snntorch", "norse")
_COMPILER = {"realize_opcount_threshold": 3, "realize_reads_threshold": 1}
"""Without these every timestep's membrane repeats the formula of all before it: compilation of a
layer then takes minutes, of a net hours."""

_MODULES = {name: name.split()[0] for name in FRAMEWORKS[1:]} | {"by hand": "torch"}


def installed() -> tuple[str, ...]:
    """Return the frameworks that are there."""
    if importlib.util.find_spec("torch") is None:
        return ()
    return tuple(name for name in FRAMEWORKS if importlib.util.find_spec(_MODULES[name]))


def _by_hand(torch: Any) -> Neurons:
    def run(x: Any) -> Any:
        v = torch.full_like(x[0], 0.5)
        spikes = []
        for current in x.unbind():
            v = v + current
            spike = (v >= 1.0).to(x.dtype)
            v = v - spike
            spikes.append(spike)
        return torch.stack(spikes)

    return run


def _spikingjelly(torch: Any) -> Neurons:
    from spikingjelly.activation_based.neuron import IFNode

    return _spikingjelly_neurons(torch, IFNode)


def _spikingjelly_simple(torch: Any) -> Neurons:
    from spikingjelly.activation_based.neuron import SimpleIFNode

    return _spikingjelly_neurons(torch, SimpleIFNode)


def _spikingjelly_neurons(torch: Any, kind: Callable[..., Any]) -> Neurons:
    node = kind(v_threshold=1.0, v_reset=None, step_mode="m")
    node.eval()

    def run(x: Any) -> Any:
        node.v = torch.full_like(x[0], 0.5)
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
    "spikingjelly simple": _spikingjelly_simple,
    "sinabs": _sinabs,
    "snntorch": _snntorch,
    "norse": _norse,
}


def settings(x: np.ndarray) -> tuple[str, ...]:
    """Return the settings a framework is measured in, as what follows its name.

    Images are also run with channels last, and one by one: T timesteps of a batch of them do not
    fit into the caches. Compiled nets have no use for channels last, as the compiler chooses the
    layout (VGG-16: 1.42 against 1.52).

    Args:
        x: samples [N, *F].
    """
    found = ["", " + compile"]
    if x.ndim == 4:
        found.append(" + channels_last")
        if len(x) > 1:
            found += [" + singly", " + compile + singly"]
    return tuple(found)


def peer_run(
    name: str, ann: onnx.ModelProto, model: SpikingModel, x: np.ndarray, steps: int, threads: int
) -> Callable[[], np.ndarray]:
    """Load a net into a framework and return what runs it: the mean of the outputs over time.

    Args:
        name: one of ``FRAMEWORKS`` and one of ``settings``.
        ann: the ANN: gives the synapses.
        model: its spiking form: gives the thresholds, one for each layer.
        x: samples [N, *F].
        steps: T.
        threads: threads of PyTorch.
    """
    import torch

    framework, *setting = name.split(" + ")
    torch.set_num_threads(threads)
    last = "channels_last" in setting
    net = SpikingNet(torch, ann, model, lambda: _NEURONS[framework](torch), channels_last=last)
    image = torch.from_numpy(x)
    if last:
        image = image.to(memory_format=torch.channels_last)
    forward = net.forward
    if "compile" in setting:
        torch._dynamo.config.recompile_limit = 64  # all nets share the code of one method
        torch._dynamo.config.accumulated_recompile_limit = 1024
        forward = torch.compile(net.forward, dynamic=False, options=_COMPILER)

    parts = image.split(1 if "singly" in setting else len(image))

    def run() -> np.ndarray:
        with torch.no_grad():
            return np.asarray(torch.cat([forward(part, steps) for part in parts]).numpy())

    return run

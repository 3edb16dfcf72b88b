"""What a unit network of plain integrate-and-fire neurons does not say, as findings."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from onnx2snn.converter.exporters.profiles import Profile
from onnx2snn.ir.derive.parts import split_parts
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.model import NeuronLayer, SpikingModel
from onnx2snn.ir.ops import (
    DOMAIN,
    DirectCurrent,
    HardResetIntegrateFire,
    Neuron,
    Scheduled,
    spiking_op,
)

_ORDER_KEEPING = ("Softmax", "LogSoftmax", "ArgMax", "Identity", "Cast", "Flatten", "Reshape")


def layer_losses(node: onnx.NodeProto, op: Neuron) -> list[Finding]:
    """Return what is lost of one layer of neurons."""
    if op.alphabet == "graded":
        return [
            _finding(
                "graded-spikes",
                "error",
                "graded spikes (powers of two) are no unit spikes",
                "convert with --preset rate or --preset ternary",
                node,
            )
        ]
    if op.soma.name:
        return [
            _finding(
                "soma",
                "error",
                f"a plain integrate-and-fire neuron has no soma function ({op.soma.name})",
                "use a network of ReLU activations",
                node,
            )
        ]
    found = []
    if isinstance(op, Scheduled):
        found.append(
            _finding(
                "schedule",
                "warning",
                "the schedule is lost: the neuron does not wait, does not switch off and may emit "
                "more spikes than its bound",
                "convert without hold and switch_off, with a stimulus as long as the run",
                node,
            )
        )
    if op.alphabet == "ternary":
        found.append(
            _finding(
                "signed-spikes",
                "warning",
                "negative spikes and the bounds on the count are lost: the neuron emits +1 only",
                "convert with --preset rate",
                node,
            )
        )
    return found


def max_pool_loss(node: onnx.NodeProto) -> Finding:
    """Return what is lost of a max-pool."""
    return _finding(
        "max-pool",
        "warning",
        "spiking max-pooling has no counterpart: an average pool takes its place",
        "train the network with average pooling",
        node,
    )


def model_losses(model: SpikingModel, profile: Profile) -> list[Finding]:
    """Return what is lost of the whole network, and what the reader of the file must know."""
    return [*_neuron_losses(model, profile), *_time_losses(model), *_edge_losses(model)]


def _neuron_losses(model: SpikingModel, profile: Profile) -> Iterator[Finding]:
    layers = _unit_layers(model)
    steps = model.stimulus_steps(model.manifest.timesteps)
    hard = [layer for layer in layers if isinstance(layer.op, HardResetIntegrateFire)]
    if hard and profile.reset == "subtract":
        yield _finding(
            "hard-reset",
            "warning",
            f"{len(hard)} layer(s) reset to zero; an IF of {profile.name} resets by subtraction",
            "convert with reset = 'soft'",
        )
    if len(hard) < len(layers) and profile.reset == "zero":
        yield _finding(
            "soft-reset",
            "warning",
            f"{len(layers) - len(hard)} layer(s) reset by subtraction; an IF of "
            f"{profile.name or 'NIR'} resets to zero and loses the charge above the threshold",
            "choose a target that resets by subtraction (sinabs)",
        )
    if any(_initial_potential(model, layer) for layer in layers):
        yield _finding(
            "initial-potential",
            "warning",
            "neurons start at a part of the threshold, which the format cannot say: each gets "
            f"1/S of it at every timestep instead (S = {steps})",
            "convert with initial_potential=0",
        )
    for code, message in profile.differences:
        yield _finding(code, "warning", message)


def _time_losses(model: SpikingModel) -> Iterator[Finding]:
    timesteps = model.manifest.timesteps
    stimulus = model.stimulus_steps(timesteps)
    if stimulus < timesteps:
        yield _finding(
            "stimulus",
            "warning",
            f"the {timesteps - stimulus} timesteps after the stimulus (S = {stimulus} of "
            f"T = {timesteps}) are lost: constant currents never end, so run S timesteps",
            "convert with a stimulus as long as the run",
        )
    yield _finding(
        "read-out",
        "info",
        f"the outputs are currents: their sum over {stimulus} timesteps is the read-out",
    )


def _edge_losses(model: SpikingModel) -> Iterator[Finding]:
    parts = split_parts(model.plain.graph)
    shown = [n for n in parts.body if n.domain == DOMAIN and n.op_type == DirectCurrent.name]
    for node in shown:
        yield _finding(
            "direct-current",
            "info",
            f"feed the values of '{node.input[0]}' themselves at every timestep",
        )
    made = {name for node in parts.prologue for name in node.output}
    if any(node.input[0] in made for node in shown):
        operators = ", ".join(dict.fromkeys(node.op_type for node in parts.prologue))
        yield _finding(
            "prologue",
            "warning",
            f"the operators in front of the spiking part are left out: {operators}",
            "apply them to the input before the network",
        )
    if parts.head:
        operators = ", ".join(dict.fromkeys(node.op_type for node in parts.head))
        harmless = all(node.op_type in _ORDER_KEEPING for node in parts.head)
        yield _finding(
            "head",
            "info" if harmless else "warning",
            f"the operators behind the read-out are left out: {operators}",
            "apply them to the summed outputs",
        )


def _unit_layers(model: SpikingModel) -> list[NeuronLayer]:
    return [layer for layer in model.neurons if layer.alphabet != "graded"]


def _initial_potential(model: SpikingModel, layer: NeuronLayer) -> float:
    node = next(node for node in model.plain.graph.node if node.output[0] == layer.output)
    given = (a.f for a in node.attribute if a.name == "initial_potential")
    return next(given, spiking_op(node).attributes.get("initial_potential", 0.0))


def _finding(
    code: str,
    severity: str,
    message: str,
    remedy: str = "",
    node: onnx.NodeProto | None = None,
) -> Finding:
    return Finding.model_validate(
        {
            "code": code,
            "severity": severity,
            "message": message,
            "remedy": remedy,
            "node": node.name if node is not None else "",
            "op": node.op_type if node is not None else "",
        }
    )

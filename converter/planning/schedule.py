"""The layer-synchronous schedule: how long each layer waits, and what that costs.

    t_0 = hold * depth,    depth = layers of neurons before the layer, on the longest path

With a hold of at least the levels and the stimulus, a layer starts when all layers before it have
finished: no spike is premature. The waiting is part of T: the deepest of D layers starts after
hold (D - 1) timesteps.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx_graphsurgeon as gs

from onnx2snn.converter.planning.sites import Site
from onnx2snn.converter.presets import Preset
from onnx2snn.ir.errors import DataError, UnsupportedOpError
from onnx2snn.ir.findings import Finding


def layer_depths(
    graph: gs.Graph, neurons: Collection[str], inputs: Collection[str]
) -> dict[str, int]:
    """Return the layers of neurons before each of ``neurons``, on the longest path.

    Args:
        graph: the planned ANN, topologically sorted.
        neurons: nodes that become neurons.
        inputs: those of them that are input encoders: they do not count.
    """
    behind: dict[str, int] = {}
    depths: dict[str, int] = {}
    for node in graph.nodes:
        depth = max((behind.get(tensor.name, 0) for tensor in node.inputs), default=0)
        if node.name in neurons:
            depths[node.name] = depth
            depth += node.name not in inputs
        behind.update((tensor.name, depth) for tensor in node.outputs)
    return depths


def fit_schedule(preset: Preset, sites: Sequence[Site]) -> Preset:
    """Return the preset with a stimulus that leaves the deepest layer its time.

    Rate coding (S = T) is held with S = T - hold (D - 1) and one level per stimulus step.

    Raises:
        DataError: the deepest layer would never start.
        UnsupportedOpError: neurons without memory would stand for unsigned activations.
    """
    _refuse_unsigned_without_memory(preset, sites)
    waits = longest_wait(preset, sites)
    if not waits:
        return preset
    if preset.timesteps <= waits:
        raise DataError(
            f"hold = {preset.hold}: the deepest layer is silent for {waits} timesteps, "
            f"T = {preset.timesteps}",
            remedy=f"ask for more timesteps than {waits}, or a shorter hold",
        )
    if preset.stimulus is not None:
        return preset
    shown = preset.timesteps - waits
    levels = preset.levels if preset.levels is not None else shown
    return preset.model_copy(update={"stimulus": shown, "levels": levels})


def longest_wait(preset: Preset, sites: Sequence[Site]) -> int:
    """Return the timesteps for which the deepest layer is silent."""
    return preset.hold * max((site.depth for site in sites), default=0)


def schedule_findings(preset: Preset, sites: Sequence[Site]) -> list[Finding]:
    """Return what the report says about the schedule and the reset."""
    findings = []
    waits = longest_wait(preset, sites)
    if waits:
        message = (
            f"every layer is held for {preset.hold} timestep(s) after the one before it: the "
            f"deepest starts at t = {waits + 1}, and T counts the waiting"
        )
        findings.append(Finding(code="held-layers", message=message))
    if preset.reset == "hard":
        soft = [site.name for site in sites if site.role != "input" and _needs_sign(site)]
        findings += [
            Finding(
                code="soft-reset-kept",
                message="a signed activation: its ternary neuron resets by subtraction",
                node=name,
            )
            for name in soft
        ]
    return findings


def _needs_sign(site: Site) -> bool:
    return site.activation.signed or bool(site.activation.soma.name)


def _refuse_unsigned_without_memory(preset: Preset, sites: Sequence[Site]) -> None:
    unsigned = [s for s in sites if s.role != "input" and not s.activation.signed]
    if preset.memory == "none" and unsigned:
        raise UnsupportedOpError(
            f"memory = 'none': {len(unsigned)} activation(s) are never negative, and a neuron "
            "that forgets what it emitted cannot keep its sum from becoming negative",
            remedy="use memory = 'bounded', or a network of LeakyReLU or LeakyClipFloor",
            findings=[
                Finding(
                    code="unsigned-activation",
                    severity="error",
                    message=f"{site.activation.describe()} has no negative values",
                    node=site.name,
                )
                for site in unsigned
            ],
        )

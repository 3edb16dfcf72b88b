"""NIR, the exchange format of neuromorphic frameworks and chips (Pedersen et al. 2024)."""

from __future__ import annotations

from typing import ClassVar

from onnx2snn.converter.exporters.absorb_offsets import absorb_offsets
from onnx2snn.converter.exporters.base import Exported, Exporter
from onnx2snn.converter.exporters.draw import draw
from onnx2snn.converter.exporters.lint import GENERIC, SPECK, lint
from onnx2snn.converter.exporters.nir_graph import nir_bytes, nir_graph
from onnx2snn.converter.exporters.profiles import Profile, find_profile
from onnx2snn.converter.exporters.unit_network import UnitNetwork
from onnx2snn.converter.unit_spikes.normalise import normalise_to_unit_spikes
from onnx2snn.ir.errors import ExportError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.model import SpikingModel


class NirFile(Exporter):
    """Unit spikes, threshold 1 everywhere, written by the package ``nir`` and read back."""

    name: ClassVar[str] = "nir"
    suffix: ClassVar[str] = ".nir"
    summary: ClassVar[str] = "for sinabs/Speck, Norse, snnTorch, SpikingJelly, Lava, SpiNNaker2"

    def export(self, model: SpikingModel, target: str | None) -> Exported:
        """Return the NIR file.

        Raises:
            ExportError: the target is unknown, ``nir`` is not installed, or nothing can be drawn.
        """
        profile = find_profile(target)
        network = draw(_units(model), profile)
        findings = (*network.findings, *_unread(network, profile))
        rows = tuple((part.name, part.kind, part.shape) for part in network.parts.values())
        if any(finding.severity == "error" for finding in findings):
            return Exported(content=b"", findings=findings, layers=rows)
        limits = SPECK if profile.name == "sinabs" else GENERIC
        return Exported(
            content=nir_bytes(nir_graph(network, _metadata(model, network, profile))),
            findings=findings,
            lint=tuple(lint(network, limits)),
            layers=rows,
        )


def _units(model: SpikingModel) -> SpikingModel:
    """Return the model with unit spikes; graded neurons are refused before anything else."""
    inputs = {node.output[0] for node in model.plain.graph.node if node.op_type == "DirectCurrent"}
    graded = [n for n in model.neurons if n.alphabet == "graded" and n.input not in inputs]
    if graded:
        raise ExportError(
            f"{len(graded)} layer(s) emit graded spikes; NIR knows unit spikes only",
            remedy="convert with --preset rate or --preset ternary",
            findings=[
                Finding(
                    code="graded-spikes",
                    severity="error",
                    message="emits signed powers of two",
                    node=layer.name,
                    op=layer.op.name,
                )
                for layer in graded
            ],
        )
    return normalise_to_unit_spikes(absorb_offsets(model))


def _unread(network: UnitNetwork, profile: Profile) -> list[Finding]:
    """Return the layers that the target does not read, or not rightly."""
    joins = [name for name in network.parts if len(network.before(name)) > 1]
    findings = []
    if joins and not profile.joins:
        findings.append(
            Finding(
                code="joins",
                severity="warning",
                message=(
                    f"{len(joins)} layer(s) add up branches; the importer of {profile.name} runs "
                    "such a layer before its second branch"
                ),
                remedy="import the file with nirtorch.nir_to_torch",
            )
        )
    if profile.conv1d:
        return findings
    return findings + [
        Finding(
            code="conv1d",
            severity="error",
            message=f"{profile.name} reads no one-dimensional convolution from NIR",
            node=part.source,
            remedy="write the network with two-dimensional convolutions, or leave --target out",
        )
        for part in network.of("conv")
        if len(part.stride) == 1
    ]


def _metadata(model: SpikingModel, network: UnitNetwork, profile: Profile) -> dict[str, str | int]:
    """Return what the nodes of NIR cannot say; readers must not rely on it."""
    manifest = model.manifest
    return {
        "producer": manifest.producer,
        "source": manifest.source.name,
        "source_sha256": manifest.source.sha256,
        "preset": manifest.preset,
        "target": profile.name or "nir",
        "timesteps": network.timesteps,
        "reset": "subtract",
        "fires_at": "potential >= threshold",
        "output": "sum over the timesteps",
    }

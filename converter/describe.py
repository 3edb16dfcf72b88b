"""Describe a conversion: the manifest that the file carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import get_args

import numpy as np

from onnx2snn.converter.calibration.input_grid import InputGrid
from onnx2snn.converter.calibration.samples import Samples
from onnx2snn.converter.canonicalise import Canonical
from onnx2snn.converter.check import analog_nodes, node_fates
from onnx2snn.converter.input_codings import input_coder
from onnx2snn.converter.planning.network import PlannedNetwork
from onnx2snn.converter.planning.plan import Plan, frontier
from onnx2snn.converter.planning.schedule import schedule_findings
from onnx2snn.converter.planning.sites import NeuronParameters
from onnx2snn.converter.presets import Preset
from onnx2snn.converter.read_outs import describe_read_out
from onnx2snn.converter.source.read import Source
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.manifest import Manifest, SourceModel
from onnx2snn.ir.ops import Neuron
from onnx2snn.ir.types import Alphabet


def describe(
    source: Source,
    canonical: Canonical,
    network: PlannedNetwork,
    samples: Samples,
    grids: dict[str, InputGrid],
    neurons: Mapping[str, NeuronParameters],
    preset: Preset,
    seed: int,
) -> Manifest:
    """Write the manifest: every decision of the conversion, for the file and the report."""
    coder = input_coder(preset)
    findings = [*canonical.findings, *network.plan.findings]
    return Manifest(
        producer=f"onnx2snn {_version()}",
        source=SourceModel(name=source.name, sha256=source.sha256, opset=source.opset),
        preset=preset.name,
        timesteps=preset.timesteps,
        stimulus=preset.stimulus,
        alphabet=_widest(
            (
                op.alphabet
                for op in (neurons[site.name].op for site in network.sites if site.role != "input")
                if isinstance(op, Neuron)
            ),
            preset.alphabet,
        ),
        digits=preset.digits,
        input_coding=coder.describe(grids, preset, seed),
        read_out=describe_read_out(preset),
        threshold_rule=preset.threshold_rule,
        levels=preset.grid_levels,
        bias_correction=preset.bias_correction,
        calibration=samples.source,
        seed=seed,
        analog_ops=(*_direct_inputs(grids, network), *_analog_nodes(network.plan)),
        nodes=node_fates(source, canonical, network.plan, network.changes),
        findings=(
            *findings,
            *_input_findings(grids, samples, preset),
            *schedule_findings(preset, network.sites),
        ),
    )


def _widest(found: Iterable[Alphabet], otherwise: Alphabet) -> Alphabet:
    order = get_args(Alphabet)
    return max(found, key=order.index, default=otherwise)


def _direct_inputs(grids: Mapping[str, InputGrid], network: PlannedNetwork) -> tuple[str, ...]:
    encoded = frontier(network.graph, network.plan)
    return () if grids else tuple(f"{tensor.name} (DirectCurrent)" for tensor in encoded)


def _analog_nodes(plan: Plan) -> tuple[str, ...]:
    return tuple(f"{node.node} ({node.op})" for node in analog_nodes(plan))


def _input_findings(grids: dict[str, InputGrid], samples: Samples, preset: Preset) -> list[Finding]:
    findings = []
    if samples.source.kind == "synthetic":
        findings.append(
            Finding(
                code="synthetic-calibration",
                severity="warning",
                message="thresholds rest on synthetic noise: no calibration data was given",
                remedy="pass 100 or more representative samples (--calibration)",
            )
        )
    for name, grid in grids.items():
        if not grid.lossless and preset.input_coding == "bit-planes":
            step = float(np.max(grid.quantum))
            findings.append(
                Finding(
                    code="input-quantised",
                    message=f"input '{name}' lies on no 8-bit grid; its spikes round to {step:.3g}",
                )
            )
    return findings


def _version() -> str:
    try:
        return version("onnx2snn")
    except PackageNotFoundError:
        return "0+unknown"

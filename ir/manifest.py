"""The manifest: what a spiking model says about itself, stored as JSON in its metadata."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from onnx2snn.ir.findings import Finding
from onnx2snn.ir.types import Alphabet

FORMAT_VERSION = 1
MANIFEST_KEY = "onnx2snn.manifest"

Fate = Literal[
    "input",
    "neuron",
    "encoder",
    "linear",
    "spiking-pool",
    "lift",
    "bilinear",
    "read-out",
    "prologue",
    "folded",
    "refused",
]


class Frozen(BaseModel):
    """Base of the manifest's parts: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceModel(Frozen):
    """The ANN a spiking model was made from.

    Attributes:
        name: file name or graph name.
        sha256: digest of the file's bytes.
        opset: version of the standard operator set it was written in.
    """

    name: str
    sha256: str
    opset: int


class CalibrationSource(Frozen):
    """Where the statistics behind the thresholds come from.

    Attributes:
        kind: ``data`` (samples of the caller) or ``synthetic`` (noise; no data was given).
        samples: number of samples seen.
        sha256: digest of the samples; empty for synthetic ones.
    """

    kind: Literal["data", "synthetic"]
    samples: int
    sha256: str = ""


class NodeFate(Frozen):
    """What became of one node of the source model.

    Attributes:
        node: its name.
        op: its operator.
        fate: the kind of treatment.
        detail: the treatment in words.
    """

    node: str
    op: str
    fate: Fate
    detail: str = ""


class Manifest(Frozen):
    """Everything a reader of the file may want to know that the graph itself does not say.

    Attributes:
        format: version of the file format (docs/ir.md).
        producer: package and version that wrote the file.
        source: the ANN.
        preset: name of the preset the knobs started from.
        timesteps: default number of timesteps T.
        stimulus: stimulus steps S; None means S = T (rate coding).
        alphabet: widest alphabet of the neurons, input encoders aside (``input_coding`` states
            theirs).
        digits: digits per graded emission and timestep.
        input_coding: how the input becomes a stream.
        read_out: how the outputs are decoded.
        threshold_rule: rule that set the quanta.
        levels: quanta per calibrated range (the PTQ grid).
        bias_correction: whether constants were corrected for the quantised prefix.
        calibration: source of the statistics.
        layout: ``folded`` (time in the batch axis) or ``scan`` (a Scan over the step graph).
        seed: seed of everything random in the conversion.
        max_loss: the bound that ``timesteps`` was searched for; None if it was not.
        analog_ops: nodes that do not spike, "name (op)".
        nodes: what became of every node of the source.
        knobs: every knob of the conversion as it was asked for, by name.
        findings: everything worth telling about the conversion.
    """

    format: int = FORMAT_VERSION
    producer: str
    source: SourceModel
    preset: str
    timesteps: int = Field(ge=1)
    stimulus: int | None = Field(ge=1)
    alphabet: Alphabet
    digits: int
    input_coding: str
    read_out: str = "accumulated current"
    threshold_rule: str
    levels: int
    bias_correction: bool
    calibration: CalibrationSource
    layout: Literal["folded", "scan"] = "folded"
    seed: int = 0
    max_loss: float | None = None
    analog_ops: tuple[str, ...] = ()
    nodes: tuple[NodeFate, ...] = ()
    knobs: dict[str, str | int | float | bool | None] = {}
    findings: tuple[Finding, ...] = ()

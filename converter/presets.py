"""Presets: named sets of the conversion's knobs. A preset has no code path of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from onnx2snn.ir.errors import DataError
from onnx2snn.ir.ops import MAX_DIGITS
from onnx2snn.ir.types import Alphabet

ThresholdRule = Literal["maximum", "percentile", "mse", "iteration", "local", "threshold-relu"]
Granularity = Literal["channel", "layer"]
Pooling = Literal["membrane", "increment", "gated"]
Shift = Literal["initial-potential", "bias"]
CorrectedAt = Literal["rest", "timesteps"]
InputCoding = Literal["bit-planes", "direct", "poisson", "latency"]
ReadOut = Literal["current", "spike-count", "lif-stdp"]
Reset = Literal["soft", "hard"]
Memory = Literal["bounded", "none"]


class Preset(BaseModel):
    """The knobs of a conversion.

    Attributes:
        name: how the command line calls it.
        summary: one line on what it is for.
        source: where the method comes from.
        equation: its rule, in one line.
        timesteps: default number of timesteps T of the file.
        stimulus: stimulus steps S; None means S = T (rate coding), 1 is delta coding.
        alphabet: what one emission may be.
        digits: digits per graded emission.
        levels: quanta per calibrated range (the PTQ grid); None means half the timesteps, which
            suits rate coding: the thresholds are optimal for T / 2 spikes.
        margin: factor on the calibrated range.
        headroom: how many calibrated ranges the count may reach before it is clipped, so that
            unseen inputs are not (unbounded activations only; costs nothing but counter width).
        threshold_rule: how the range of a channel is found.
        granularity: whether every channel has a threshold of its own, or all of a layer share one.
        percentile: used by the percentile rule, in percent.
        bias_correction: correct constants layer by layer for the quantised prefix.
        corrected_at: what corrections compare with the ANN: values at rest, or after T timesteps,
            so that residual potential and delay are corrected, too, for this T.
        temporal_bias: a current of its own for each timestep and channel, so that every layer
            emits the ANN's mean activation at every timestep (needs S = T).
        initial_potential: v_0 in units of the threshold (binary and ternary neurons).
        shift: whether v_0 is charge at the start or the same charge in equal parts as a current
            at each of the S stimulus steps (theta / (2 T) for v_0 = 1/2 and S = T).
        negative_threshold: u_neg in units of the threshold (ternary neurons).
        reset: what a binary spike does to the potential: ``soft`` subtracts the threshold,
            ``hard`` sets it to zero.
        memory: whether ternary neurons remember what they emitted and keep the count within its
            bounds; without memory they emit negative spikes freely, for signed activations only.
        hold: timesteps by which a layer starts after the layers before it (layer-synchronous
            schedule); 0: all start at once. Held as long as levels and stimulus, nothing is
            premature, and binary spikes are exact.
        switch_off: after the stimulus, neurons below the threshold switch off for good.
        compensation: search a factor close to 1 on all weights that makes up for residual charge.
        unit_spikes: fold the thresholds into the weights: every neuron has threshold 1.
        pooling: where max-pooling happens: on membranes before the neuron, on spike counts, or
            by the firing-rate gate.
        pool_neurons: put a layer of neurons behind average pools, where the factor of the pool
            would otherwise belong to the synapse that follows.
        input_coding: graded bit-planes (spikes), direct current (analog first layer), Poisson rate
            coding or latency coding (one spike per value).
        input_digits: digits per timestep of the bit-plane encoder.
        input_window: slots of latency coding; None means S, or half of T where S = 1.
        read_out: how outputs are decoded: from the accumulated current; by counting the spikes of
            output neurons; or by counting those of a leaky layer behind them, trained by STDP.
        leak: share gamma of its potential that a leaky read-out neuron keeps per timestep.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str
    source: str = ""
    equation: str = ""
    timesteps: int = Field(ge=1)
    stimulus: int | None = Field(default=1, ge=1)
    alphabet: Alphabet = "graded"
    digits: int = Field(default=1, ge=1, le=MAX_DIGITS)
    levels: int | None = Field(default=4095, ge=1, le=2**20)
    margin: float = Field(default=1.0, gt=0)
    headroom: int = Field(default=4, ge=1)
    threshold_rule: ThresholdRule = "maximum"
    granularity: Granularity = "channel"
    percentile: float = Field(default=99.9, gt=0, le=100)
    bias_correction: bool = False
    corrected_at: CorrectedAt = "rest"
    temporal_bias: bool = False
    initial_potential: float = 0.5
    shift: Shift = "initial-potential"
    negative_threshold: float = 0.0
    reset: Reset = "soft"
    memory: Memory = "bounded"
    hold: int = Field(default=0, ge=0)
    switch_off: bool = False
    compensation: bool = False
    unit_spikes: bool = False
    pooling: Pooling = "membrane"
    pool_neurons: bool = False
    input_coding: InputCoding = "bit-planes"
    input_digits: int = Field(default=1, ge=1, le=MAX_DIGITS)
    input_window: int | None = Field(default=None, ge=1, le=2**20)
    read_out: ReadOut = "current"
    leak: float = Field(default=0.9, ge=0, le=1)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Preset:
        if self.reset == "hard":
            if self.alphabet != "binary":
                raise ValueError(f"reset = 'hard' is for binary spikes, not {self.alphabet} ones")
            if self.stimulus is not None or self.hold or self.switch_off:
                raise ValueError(
                    "a hard reset loses charge, so it goes with a stimulus as long as the run "
                    "(rate coding) and neither hold nor switch_off"
                )
        if self.read_out == "lif-stdp" and (self.alphabet == "graded" or self.stimulus == 1):
            raise ValueError(
                "read_out = 'lif-stdp' is for unit spikes and a stimulus of several timesteps: a "
                "leaky layer would forget what is shown once"
            )
        if self.memory == "none" and self.alphabet != "ternary":
            raise ValueError(f"memory = 'none' is for ternary spikes, not {self.alphabet} ones")
        if (
            self.switch_off
            and not self.hold
            and (self.stimulus or self.timesteps) >= (self.timesteps)
        ):
            raise ValueError("switch_off needs timesteps after the stimulus")
        if self.temporal_bias and (self.stimulus is not None or self.corrected_at == "rest"):
            raise ValueError("temporal_bias needs S = T and corrected_at = 'timesteps'")
        return self

    @property
    def scheduled(self) -> bool:
        """Whether neurons follow a schedule."""
        return self.hold > 0 or self.switch_off

    @property
    def knobs(self) -> dict[str, Any]:
        """Return the knobs by name, without the texts about the preset."""
        return self.model_dump(mode="json", exclude={"name", "summary", "source", "equation"})

    @property
    def grid_levels(self) -> int:
        """Return the quanta per calibrated range."""
        return self.levels if self.levels is not None else max(1, self.timesteps // 2)

    @property
    def corrects(self) -> bool:
        """Return whether anything is corrected by running the spiking network."""
        return self.bias_correction or self.temporal_bias

    def replaced(self, given: Mapping[str, Any]) -> Preset:
        """Return the preset with some knobs replaced, validated again.

        Levels and stimulus of a unit-spike preset follow T unless they are given, too: a neuron
        that emits at most one quantum a timestep can use T levels, and no more.

        Raises:
            DataError: a knob is unknown, or its value is not allowed.
        """
        unknown = sorted(set(given) - set(Preset.model_fields))
        if unknown:
            raise DataError(
                f"unknown option(s): {', '.join(unknown)}",
                remedy=f"the knobs of a conversion are: {', '.join(Preset.model_fields)}",
            )
        try:
            return Preset.model_validate({**self.model_dump(), **self._scaled(given), **given})
        except ValidationError as error:
            wrong = error.errors()[0]
            knob = ".".join(map(str, wrong["loc"]))
            raise DataError(
                f"{knob} = {wrong['input']!r}: {wrong['msg']}" if knob else wrong["msg"],
                remedy="'onnx2snn presets' shows the values the presets use",
            ) from error

    def _scaled(self, given: Mapping[str, Any]) -> dict[str, int]:
        timesteps = given.get("timesteps")
        fixed = self.stimulus is None or self.stimulus == 1 or self.levels is None or self.hold > 0
        if not isinstance(timesteps, int) or fixed:
            return {}
        share = timesteps / self.timesteps
        known = {"levels": self.levels or 1, "stimulus": self.stimulus or 1}
        return {name: max(1, round(value * share)) for name, value in known.items()}


PRESETS: tuple[Preset, ...] = (
    Preset(
        name="graded",
        summary="signed power-of-two spikes; lossless at few timesteps, then silent",
        source="DESIGN: sum semantics with ST-BIF bounds and geometric levels (ECMT, DCGS)",
        timesteps=16,
        input_digits=5,
    ),
    Preset(
        name="fast",
        summary="two digits per timestep: T = 2..4 (count T x 2 micro-steps)",
        source="as graded, k = 2 (compare H-MT, Burst)",
        timesteps=4,
        digits=2,
        input_digits=5,
    ),
    Preset(
        name="ternary",
        summary="signed unit spikes with bounded memory; exact at rest, in a run longer than S",
        source="ST-BIF, SpikeZIP-TF (You et al., ICML 2024)",
        timesteps=32,
        stimulus=32,
        alphabet="ternary",
        levels=32,
        headroom=1,
        threshold_rule="mse",
        bias_correction=True,
        corrected_at="timesteps",
        pooling="increment",
        input_digits=8,
    ),
    Preset(
        name="rate",
        summary="binary unit spikes, soft reset: classic rate coding for hardware and comparison",
        source="Rueckauer 2017; v_0 Bu 2022; MSE thresholds and bias correction Li 2021 (SNNC-LP)",
        timesteps=64,
        stimulus=None,
        alphabet="binary",
        levels=None,
        headroom=1,
        threshold_rule="mse",
        bias_correction=True,
        corrected_at="timesteps",
        pooling="increment",
        input_digits=8,
    ),
)

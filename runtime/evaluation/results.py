"""What an evaluation reports: plain values that print as one JSON object."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """Base of all results: immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AnnRow(Result):
    """The original network on the same data; accuracy in [0, 1], None without labels."""

    accuracy: float | None
    samples: int
    macs_per_sample: float


class PtqRow(Result):
    """The quantised ANN on the same grid: the exact target of the spiking network."""

    accuracy: float | None
    agreement: float | None
    relative_error: float


class CurvePoint(Result):
    """The spiking network after T timesteps.

    Attributes:
        timesteps: T.
        accuracy: share of correct top-1 answers; None without labels.
        agreement: share of samples with the ANN's top-1; None if no output classifies.
        ptq_agreement: the same against the quantised ANN.
        relative_error: ||snn - ann|| / ||ann||, L2 over all float outputs and samples.
        cosine: cosine similarity of the outputs, mean over samples.
        events_per_neuron: events so far, divided by the neurons (encoders included).
        events_per_sample: events so far, per sample.
        synaptic_operations: events times their real fan-out so far, per sample.
        energy_joules: estimated energy so far per sample, by profile.
    """

    timesteps: int
    accuracy: float | None
    agreement: float | None
    ptq_agreement: float | None
    relative_error: float
    cosine: float
    events_per_neuron: float
    events_per_sample: float
    synaptic_operations: float
    energy_joules: dict[str, float]


class LayerRow(Result):
    """One layer of neurons (or one spiking max-pool) over the whole run.

    Attributes:
        name: name of the neuron layer.
        kind: operator, e.g. ``GradedIntegrateFire``.
        neurons: neurons (or pooling units) per sample.
        events_per_neuron: over all timesteps, mean over samples.
        negative_share: share of events that are negative.
        events_by_timestep: events per neuron at each timestep 1..T.
        synaptic_operations: that arrive at the layer, per sample, over all timesteps.
        threshold_min: least quantum of the layer.
        threshold_max: greatest quantum of the layer.
        threshold_mean: mean quantum.
        correlation: Pearson correlation of the decoded values after T timesteps with the quantised
            ANN's activations of the same layer (the first few samples); None if either is constant
            or if the layer's emissions have no quantum.
        at_bound: share of neurons whose count ended at its upper bound: n_max, or T for binary
            neurons; 0 for max-pools.
    """

    name: str
    kind: str
    neurons: int
    events_per_neuron: float
    negative_share: float
    events_by_timestep: tuple[float, ...]
    synaptic_operations: float
    threshold_min: float
    threshold_max: float
    threshold_mean: float
    correlation: float | None
    at_bound: float


class EnergyProfile(Result):
    """An estimate under one set of energies per operation, in joules per sample.

    Attributes:
        name: e.g. ``45nm-fp32``.
        source: where the figures come from.
        ann: the ANN: MACs.
        snn: the SNN at its last timestep: sum of the parts below.
        synaptic: synaptic operations.
        neurons: neuron updates.
        analog: analog operators that are left, charged as MACs.
        ratio: snn / ann.
    """

    name: str
    source: str
    ann: float
    snn: float
    synaptic: float
    neurons: float
    analog: float
    ratio: float


class EarlyExitRow(Result):
    """The same samples with early exit: each leaves once its outputs are clear.

    Attributes:
        rule: ``margin`` or ``entropy``.
        threshold: least confidence of a finished sample.
        every: timesteps from one look at the outputs to the next.
        calibration_samples: samples the threshold was tuned on; 0 if it was given.
        max_loss: the bound it was tuned for; None if it was given.
        mean_timesteps: mean number of timesteps of a sample.
        accuracy: share of correct top-1 answers; None without labels.
        agreement: share of samples with the ANN's top-1.
        events_per_sample: events up to the exit, per sample.
        exits: samples that left after timestep 1, 2 ... T.
        seconds: wall-clock time of the run.
    """

    rule: str
    threshold: float
    every: int
    calibration_samples: int
    max_loss: float | None
    mean_timesteps: float
    accuracy: float | None
    agreement: float | None
    events_per_sample: float
    exits: tuple[int, ...]
    seconds: float


class Evaluation(Result):
    """The account of a spiking network against its ANN on one data set.

    Attributes:
        model: name of the source model.
        preset: preset it was converted with.
        alphabet: what one emission may be.
        digits: k; T * k micro-steps is the honest latency of a graded net.
        timesteps: T of the run; the curve has the requested points up to it.
        stimulus_steps: S of the run.
        input_coding: how the input becomes spikes.
        read_out: how the outputs are decoded.
        calibration: source and size, in words.
        backend: what ran it.
        weights: form of the weights in front of spiking neurons: ``float32`` or ``int8``.
        samples: evaluated samples.
        neurons: neurons per sample, encoders and spiking max-pooling units included.
        ann: the ANN row.
        ptq: the PTQ row.
        curve: one point per requested T.
        silent_at: first timestep from which on no event occurred for any sample; None if events
            still occur at T.
        analog_ops: nodes that do not spike.
        energy: estimated energy, one entry per profile.
        layers: one row per neuron layer.
        seconds: wall-clock time of the spiking run.
        early_exit: the row of early exit, if it was asked for.
    """

    model: str
    preset: str
    alphabet: str
    digits: int
    timesteps: int
    stimulus_steps: int
    input_coding: str
    read_out: str
    calibration: str
    backend: str
    weights: str = "float32"
    samples: int
    neurons: int
    ann: AnnRow
    ptq: PtqRow
    curve: tuple[CurvePoint, ...]
    silent_at: int | None
    analog_ops: tuple[str, ...]
    energy: tuple[EnergyProfile, ...]
    layers: tuple[LayerRow, ...]
    seconds: float
    early_exit: EarlyExitRow | None = None

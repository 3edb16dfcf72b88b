"""What a diagnosis reports: plain values that print as one JSON object."""

from __future__ import annotations

from onnx2snn.runtime.evaluation.results import Result


class ErrorRow(Result):
    """One kind of error, in the whole network.

    Attributes:
        kind: name of the kind.
        words: what it is.
        relative_error: of the outputs with this error switched off in every layer.
        agreement: with the ANN's top-1, likewise; None if no output classifies.
        removed: by how much the relative error of the outputs falls; negative if it rises.
        advice: what to try against it.
    """

    kind: str
    words: str
    relative_error: float
    agreement: float | None
    removed: float
    advice: str


class LayerDiagnosis(Result):
    """One layer of neurons, or one gated max-pool.

    Attributes:
        name: of the node.
        op: its operator.
        reference: what its values are compared with: ``ann`` (the ANN's activation) or
            ``continuous`` (the spiking graph with all errors switched off; encoders, and layers
            that have no tensor of their own in the ANN).
        relative_error: ||decoded - reference|| / ||reference||: inherited and own errors.
        correlation: Pearson correlation of the decoded values with the reference; None if either
            is constant.
        own: the layer's own errors on what it received, by kind: ||error|| / ||reference||.
        worst: the greatest of them; None if there is none.
        output_error: relative error of the network's outputs with all errors of this layer
            switched off; None if it was not measured.
        output_agreement: likewise; None also if no output classifies.
        removed: by how much the relative error of the outputs falls then.
    """

    name: str
    op: str
    reference: str
    relative_error: float
    correlation: float | None
    own: dict[str, float]
    worst: str | None
    output_error: float | None
    output_agreement: float | None
    removed: float | None


class Diagnosis(Result):
    """Where the error of a spiking network comes from.

    Attributes:
        model: name of the source model.
        preset: preset it was converted with.
        alphabet: what one emission may be.
        timesteps: T of the run.
        stimulus_steps: S of the run.
        samples: samples seen.
        accuracy: of the spiking network; None without labels.
        ann_accuracy: of the ANN; None without labels.
        agreement: with the ANN's top-1; None if no output classifies.
        relative_error: ||snn - ann|| / ||ann|| over all outputs.
        rest_error: what is left with all errors switched off: bias corrections, lifts' encoders,
            rounding.
        rest_agreement: likewise.
        errors: one row per kind that occurs, the worst first.
        layers: in the order of the network.
        worst_kind: the error that costs most; None if none does.
        worst_layer: the layer to look at first; None if none is to blame.
        advice: what to try first.
    """

    model: str
    preset: str
    alphabet: str
    timesteps: int
    stimulus_steps: int
    samples: int
    accuracy: float | None
    ann_accuracy: float | None
    agreement: float | None
    relative_error: float
    rest_error: float
    rest_agreement: float | None
    errors: tuple[ErrorRow, ...]
    layers: tuple[LayerDiagnosis, ...]
    worst_kind: str | None
    worst_layer: str | None
    advice: str

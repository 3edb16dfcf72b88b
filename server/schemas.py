"""What the API takes and gives, as JSON. Needs pydantic only, so that the client can read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from onnx2snn.ir.findings import Finding
from onnx2snn.server.problems import ProblemDocument

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file.")]
Sha256Path = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file.")]
IdPath = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
PresetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9:._-]{0,39}$")]
JobKind = Literal["conversion", "evaluation", "simulation", "batch"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Label = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Samples = Annotated[int, Field(ge=1, le=1_000_000)]
Backend = Literal["auto", "onnxruntime", "event", "reference"]
KnobName = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$")]
Knob = StrictBool | StrictInt | StrictFloat | Annotated[str, Field(max_length=40)] | None
Timesteps = Annotated[int, Field(ge=1, le=4096)]

_MODEL_ID = "3f0f2c8f5d0f6b1f0c7f7f3b8f2c1d9e4a5b6c7d8e9f00112233445566778899"


class Answer(BaseModel):
    """Base of what is given."""

    model_config = ConfigDict(from_attributes=True)


class Request(BaseModel):
    """Base of what is taken: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ModelOut(Answer):
    """An uploaded model."""

    id: str
    name: str
    size: int
    created_at: datetime
    links: dict[str, str]


class CheckOut(Answer):
    """What a conversion would make of a model, node by node."""

    name: str
    convertible: bool
    source: dict[str, Any] | None
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    operators: dict[str, int]
    nodes: list[dict[str, Any]]
    findings: list[dict[str, Any]]


class ModelDetails(ModelOut):
    """An uploaded model, with the account of its check once there is one."""

    check: CheckOut | None = None


class GraphOut(Answer):
    """Nodes and edges of a model, and what becomes of each node."""

    nodes: list[dict[str, Any]]
    edges: list[list[int]]
    truncated: bool


class DatasetOut(Answer):
    """Uploaded samples."""

    id: str
    name: str
    format: Literal["npz", "npy"]
    size: int
    arrays: list[dict[str, Any]]
    created_at: datetime


class UploadRequest(Request):
    """The start of an upload in parts."""

    kind: Literal["model", "dataset"]
    name: Label = "upload"


class PartOut(Answer):
    """One part that has arrived."""

    number: int
    size: int
    sha256: str


class UploadOut(Answer):
    """An upload in parts."""

    id: str
    kind: Literal["model", "dataset"]
    name: str
    parts: list[PartOut]


class CompleteRequest(Request):
    """The end of an upload in parts."""

    sha256: Sha256 | None = None


class CheckRequest(Request):
    """How a model would be converted."""

    preset: PresetName = "graded"
    strict: StrictBool = False


class ConversionOptions(Request):
    """How to convert; the same for every model of a batch."""

    preset: PresetName = "graded"
    timesteps: Timesteps | None = Field(default=None, description="T; the preset's if null.")
    stimulus: Timesteps | Literal["all"] | None = Field(
        default=None, description="S; 'all' means S = T; the preset's if null."
    )
    knobs: dict[KnobName, Knob] = Field(
        default_factory=dict,
        max_length=40,
        description="Knobs of the preset to replace: names and values as GET /v1/presets lists.",
    )
    max_loss: float | None = Field(
        default=None, ge=0, le=1, description="Find the smallest T within this loss."
    )
    strict: StrictBool = False
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    calibration_id: Sha256 | None = None
    samples: Samples | None = Field(default=None, description="Calibration samples to use.")
    evaluate: StrictBool = Field(default=True, description="Measure the network if there are data.")
    evaluation_id: Sha256 | None = Field(
        default=None, description="Data to measure on; the calibration data if null."
    )
    evaluation_samples: Samples | None = 200
    evaluation_timesteps: Timesteps | None = None
    label: Label = ""


class ConversionRequest(ConversionOptions):
    """A conversion to be done."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model_id": _MODEL_ID, "preset": "graded"}]},
    )
    model_id: Sha256


class BatchRequest(ConversionOptions):
    """Many conversions with the same options."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model_ids": [_MODEL_ID], "preset": "fast"}]},
    )
    model_ids: list[Sha256] = Field(min_length=1)


class EarlyExitRequest(Request):
    """Finish each sample once its outputs are clear."""

    rule: Literal["margin", "entropy"] = "margin"
    threshold: float | None = Field(
        default=None, description="A known threshold; tuned on the calibration data if null."
    )
    max_loss: float = Field(
        default=0.005, ge=0, le=1, description="Bound on the share of answers that change."
    )
    every: Timesteps = Field(default=1, description="Timesteps from one look to the next.")


class EvaluationRequest(Request):
    """A measurement of a spiking network against its ANN."""

    snn_id: Sha256
    dataset_id: Sha256
    samples: Samples | None = None
    timesteps: Timesteps | Annotated[list[Timesteps], Field(min_length=1, max_length=64)] | None = (
        Field(default=None, description="T, or points of the curve; the network's T if null.")
    )
    backend: Backend = "auto"
    early_exit: EarlyExitRequest | None = None
    calibration_id: Sha256 | None = Field(
        default=None, description="Samples to tune early exit on; not the test data."
    )
    label: Label = ""


class SimulationRequest(Request):
    """A run of a spiking network over samples."""

    snn_id: Sha256
    dataset_id: Sha256
    samples: Samples | None = 100
    timesteps: Timesteps | None = None
    record: Literal["none", "counts", "spikes"] = "counts"
    backend: Backend = "auto"
    early_exit: EarlyExitRequest | None = None
    calibration_id: Sha256 | None = Field(
        default=None, description="Samples to tune early exit on; not the test data."
    )
    label: Label = ""


class JobOut(Answer):
    """A job: what it does, how far it is, what came of it."""

    id: str
    kind: JobKind
    state: JobState
    done: bool
    label: str
    parent_id: str | None
    attempt: int
    step: str
    steps: list[str]
    progress: float
    error: ProblemDocument | None
    result: dict[str, Any] | None
    config: dict[str, Any]
    model_id: str | None
    snn_id: str | None
    version: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: dict[str, str]


class SnnOut(Answer):
    """A spiking network."""

    id: str
    name: str
    size: int
    model_id: str
    job_id: str
    summary: dict[str, Any]
    created_at: datetime
    links: dict[str, str]


class ExportOut(Answer):
    """The account of a network in another format.

    Attributes:
        findings: what the format loses, and what its reader must know.
        lint: limits of hardware that layers exceed.
        layers: rows of name, kind and output shape.
    """

    format: str
    target: str
    size: int
    findings: list[Finding]
    lint: list[Finding]
    layers: list[tuple[str, str, list[int]]]


class CurveOut(Answer):
    """Accuracy and agreement against timesteps, with the ANN and the PTQ row beside them."""

    samples: int
    neurons: int
    ann: dict[str, Any]
    ptq: dict[str, Any]
    curve: list[dict[str, Any]]
    silent_at: int | None
    energy: list[dict[str, Any]]
    layers: list[dict[str, Any]]


class ModelPage(Answer):
    """A page of models."""

    items: list[ModelOut]
    next_page_token: str = ""


class DatasetPage(Answer):
    """A page of data sets."""

    items: list[DatasetOut]
    next_page_token: str = ""


class JobPage(Answer):
    """A page of jobs."""

    items: list[JobOut]
    next_page_token: str = ""


class SnnPage(Answer):
    """A page of spiking networks."""

    items: list[SnnOut]
    next_page_token: str = ""


class Health(Answer):
    """Whether the service is fit, part by part."""

    status: Literal["ok", "failing"]
    version: str
    parts: dict[str, str] = Field(default_factory=dict)

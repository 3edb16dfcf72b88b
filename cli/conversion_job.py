"""One conversion as the command line does it: read the data, convert, write the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_serializer

from onnx2snn.cli.failure import Failure, describe_failure
from onnx2snn.cli.targets import Target
from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.convert import convert
from onnx2snn.converter.presets import Preset
from onnx2snn.converter.report import ConversionReport
from onnx2snn.converter.source.read import read_model
from onnx2snn.ir.errors import Onnx2SnnError
from onnx2snn.ir.manifest import CalibrationSource, Manifest
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.data.dataset import Dataset, load_data
from onnx2snn.runtime.data.image_folder import ImageOptions
from onnx2snn.runtime.data.input_spec import input_specs
from onnx2snn.runtime.native.library import custom_ops_path

Progress = Callable[[str, float], None]
Status = Literal["converted", "skipped", "failed"]


@dataclass(frozen=True)
class ConversionOptions:
    """What was asked for, the same for every model of a batch.

    Attributes:
        calibration: DATA, or None.
        images: how pixels become numbers, for a folder of images.
        preset: name of the preset.
        timesteps: T; None takes the preset's.
        stimulus: S; ``"all"`` means S = T; None takes the preset's.
        input_coding: how the input becomes spikes; None takes the preset's.
        read_out: how outputs are decoded; None takes the preset's.
        max_loss: bound of the search for the smallest T.
        strict: refuse analog operators.
        given: further knobs by name, as text; None for none.
        layer_errors: measure the error of every layer.
        resume: skip what is already there, made from the same model with the same options.
    """

    calibration: Path | None = None
    images: ImageOptions = field(default_factory=ImageOptions)
    preset: str = "graded"
    timesteps: int | None = None
    stimulus: int | Literal["all"] | None = None
    input_coding: str | None = None
    read_out: str | None = None
    max_loss: float | None = None
    strict: bool = False
    given: tuple[tuple[str, str | None], ...] = ()
    layer_errors: bool = False
    resume: bool = False

    def knobs(self) -> Preset:
        """Return the preset with the knobs that were asked for."""
        preset = find_preset(self.preset)
        given: dict[str, int | str | None] = {}
        if self.timesteps is not None:
            given["timesteps"] = self.timesteps
        if self.stimulus is not None:
            given["stimulus"] = None if self.stimulus == "all" else self.stimulus
        given |= {
            name: value
            for name, value in (("input_coding", self.input_coding), ("read_out", self.read_out))
            if value is not None
        }
        return preset.replaced({**given, **dict(self.given)})


class Outcome(BaseModel):
    """What became of one model.

    Attributes:
        model: its file.
        output: the spiking network's file; None if there is none.
        status: converted, skipped (already there) or failed.
        seconds: wall-clock time.
        octets: size of the output.
        manifest: what the output says about itself.
        report: the converter's account of this conversion.
        error: why it failed.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    output: str | None = None
    status: Status
    seconds: float = 0.0
    octets: int | None = None
    manifest: Manifest | None = None
    report: ConversionReport | None = None
    error: Failure | None = None

    @field_serializer("report")
    def _without_manifest(self, report: ConversionReport | None) -> dict[str, Any] | None:
        """Say the manifest once."""
        return None if report is None else report.model_dump(mode="json", exclude={"manifest"})


def run_conversion(
    target: Target, options: ConversionOptions, progress: Progress | None = None
) -> Outcome:
    """Convert one model and write its file, whole or not at all.

    Raises:
        Onnx2SnnError: it cannot be done.
        OSError: the file cannot be written.
    """
    start = time.perf_counter()
    data = _calibration(target.model, options, progress)
    done = _already_there(target, options, data) if options.resume else None
    if done is not None:
        return Outcome(
            model=str(target.model),
            output=str(target.output),
            status="skipped",
            seconds=time.perf_counter() - start,
            octets=target.output.stat().st_size,
            manifest=done,
        )
    model, report = convert(
        target.model,
        calibration=None if data is None else data.arrays,
        preset=options.knobs(),
        max_loss=options.max_loss,
        strict=options.strict,
        layer_errors=options.layer_errors,
        library=custom_ops_path(),
        progress=progress,
    )
    model.save(target.output)
    return Outcome(
        model=str(target.model),
        output=str(target.output),
        status="converted",
        seconds=time.perf_counter() - start,
        octets=target.output.stat().st_size,
        manifest=model.manifest,
        report=report,
    )


def attempt_conversion(target: Target, options: ConversionOptions) -> Outcome:
    """Convert one model of a batch; what goes wrong is part of the outcome."""
    start = time.perf_counter()
    try:
        return run_conversion(target, options)
    except Exception as error:
        return Outcome(
            model=str(target.model),
            status="failed",
            seconds=time.perf_counter() - start,
            error=describe_failure(error),
        )


def _calibration(
    model: Path, options: ConversionOptions, progress: Progress | None
) -> Dataset | None:
    if options.calibration is None:
        return None

    def images_read(done: int, total: int) -> None:
        if progress is not None:
            progress("read images", done / total)

    specs = input_specs(read_model(model).model.graph)
    return load_data(options.calibration, specs, images=options.images, progress=images_read)


def _already_there(
    target: Target, options: ConversionOptions, data: Dataset | None
) -> Manifest | None:
    """Return the manifest of an output that this conversion would only repeat."""
    if not target.output.is_file():
        return None
    try:
        manifest = SpikingModel.load(target.output).manifest
    except Onnx2SnnError:
        return None
    knobs = options.knobs()
    same = (
        manifest.source.sha256 == read_model(target.model).sha256
        and (manifest.preset, manifest.max_loss) == (knobs.name, options.max_loss)
        and manifest.knobs == knobs.knobs
        and _same_calibration(manifest.calibration, data)
        and not (options.strict and manifest.analog_ops)
    )
    return manifest if same else None


def _same_calibration(source: CalibrationSource, data: Dataset | None) -> bool:
    if data is None:
        return source.kind == "synthetic"
    return source.kind == "data" and source.sha256 == data.sha256

"""Task: convert a model and write the spiking network with the report of its making."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.convert import convert
from onnx2snn.converter.presets import Preset
from onnx2snn.ir.errors import DataError
from onnx2snn.runtime.native.library import custom_ops_path
from onnx2snn.runtime.reports.report import write_report
from onnx2snn.server.sandbox import Progress
from onnx2snn.server.tasks.inputs import data_for, limited


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Convert; writes the network, its report and ``conversion.json`` into ``out/``.

    Args:
        arguments: ``model``, ``calibration`` (file names in ``in/``), ``samples`` and the options
            of the conversion.
        folder: of the task.
        progress: told what is going on.

    Returns:
        The conversion report.
    """
    path = folder / "in" / arguments["model"]
    calibration = None
    if arguments["calibration"]:
        dataset = data_for(path, folder / "in" / arguments["calibration"])
        calibration, _ = limited(dataset, arguments["samples"])
    model, report = convert(
        path,
        calibration=calibration,
        preset=_knobs(arguments),
        max_loss=arguments["max_loss"],
        strict=arguments["strict"],
        seed=arguments["seed"],
        library=custom_ops_path(),
        progress=progress,
    )
    out = folder / "out"
    model.save(out / "model.snn.onnx")
    progress("write report", 0.0)
    write_report(out / "report.html", model=model, conversion=report)
    (out / "conversion.json").write_text(report.model_dump_json())
    return report.model_dump(mode="json")


def _knobs(arguments: dict[str, Any]) -> Preset:
    """Return the preset with knobs, T and S as asked for; S = T is written as None."""
    given: dict[str, Any] = dict(arguments["knobs"] or {})
    named = sorted({"name", "summary", "source"} & set(given))
    if named:
        raise DataError(f"no knob of a conversion: {', '.join(named)}", remedy="leave it out")
    if arguments["timesteps"] is not None:
        given["timesteps"] = arguments["timesteps"]
    if arguments["stimulus"] is not None:
        given["stimulus"] = None if arguments["stimulus"] == "all" else arguments["stimulus"]
    return find_preset(arguments["preset"]).replaced(given)

"""``onnx2snn demo``: the whole way, on a small network that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnx2snn.cli.options import AsJson

_DATA = Path(__file__).parent / "demo_data"


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", file_okay=False, help="Where to write the results.")
    ] = Path("onnx2snn-demo"),
    as_json: AsJson = False,
) -> None:
    """Convert and evaluate a small digit classifier; writes the network and a report."""
    import numpy as np

    from onnx2snn.cli.evaluate import powers_of_two, print_evaluation
    from onnx2snn.cli.output import cell, print_json, progress, results
    from onnx2snn.converter.convert import convert
    from onnx2snn.converter.source.read import read_model
    from onnx2snn.runtime.evaluation.evaluate import evaluate
    from onnx2snn.runtime.reports.report import write_report

    ann = _DATA / "digits_cnn.onnx"
    with np.load(_DATA / "digits_calibration.npz") as file:
        calibration = {"image": file["image"]}
    with np.load(_DATA / "digits.npz") as file:
        images, labels = {"image": file["image"]}, file["labels"]
    with progress("demo") as move:
        model, conversion = convert(ann, calibration=calibration, progress=move)
        evaluation = evaluate(
            model,
            read_model(ann).model,
            images,
            labels,
            timesteps=powers_of_two(model.manifest.timesteps),
            progress=lambda done, total: move("evaluate", done / total),
        )
    spiking = model.save(folder / "digits_cnn.snn.onnx")
    page = folder / "report.html"
    write_report(page, model=model, evaluation=evaluation, conversion=conversion)
    if as_json:
        print_json(evaluation)
        return
    console = results(as_json)
    print_evaluation(console, evaluation)
    console.print()
    console.print(cell(f"wrote {spiking}\nwrote {page}", "bold"), soft_wrap=True)
    console.print(cell(_next_steps(spiking, ann)), soft_wrap=True)


def _next_steps(spiking: Path, ann: Path) -> str:
    return f"""
Next:
  onnx2snn inspect {spiking}
  onnx2snn check YOUR_MODEL.onnx
  onnx2snn convert YOUR_MODEL.onnx --calibration SAMPLES.npz
  onnx2snn convert {ann} -o digits_rate.snn.onnx --preset rate \\
      --calibration {_DATA / "digits_calibration.npz"}"""

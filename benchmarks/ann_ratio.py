"""Time a spiking file in ONNX Runtime against T runs of its ANN, at the same batch.

    python benchmarks/ann_ratio.py MODEL.onnx CALIBRATION.npz [--timesteps 8] [--batch 16]

The ratio is time of T runs of the ANN / time of one spiking run of T timesteps: 1 is as fast, 0.5
takes twice as long. Both run in onnxruntime with the same options and threads. Runs are paired:
each repetition times the ANN, then the spiking file; the median of the ratios is printed, for the
file as it is (function bodies) and with the compiled neurons, if they were built.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnx
import onnxruntime

from onnx2snn.converter import convert
from onnx2snn.ir.session import Tensors
from onnx2snn.runtime import custom_ops_path, input_specs, load_data

WARM_UP = 2


def main() -> None:
    """Convert, pair the runs, print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", type=Path, help="the ANN")
    parser.add_argument("calibration", type=Path, help="samples: thresholds, and what is timed")
    parser.add_argument("--preset", default="graded")
    parser.add_argument("--timesteps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--threads", type=int, default=0, help="0: as onnxruntime likes")
    options = parser.parse_args()
    ann = onnx.load(options.model)
    data = load_data(options.calibration, input_specs(ann.graph))
    model, _ = convert(options.model, calibration=dict(data.arrays), preset=options.preset)
    feeds: Tensors = {name: array[: options.batch] for name, array in data.arrays.items()}
    clock = {model.timesteps_input: np.asarray(options.timesteps, np.int64)}
    plain = runner(ann.SerializeToString(), feeds, options.threads)
    libraries = {"function bodies": None, "compiled neurons": custom_ops_path()}
    print(f"{options.model.stem}, {options.preset}, T = {options.timesteps}, N = {options.batch}")
    for title, library in libraries.items():
        if library is None and title != "function bodies":
            print(f"{title}: not built")
            continue
        spiking = runner(model.to_bytes(), {**feeds, **clock}, options.threads, library)
        ratios, seconds = paired(plain, spiking, options.timesteps, options.repeats)
        print(
            f"{title}: ratio {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}), "
            f"{1000 * statistics.median(seconds) / options.batch:.2f} ms per sample"
        )


def runner(
    content: bytes, feeds: Tensors, threads: int, library: str | None = None
) -> Callable[[], float]:
    """Return a function that runs a model once and returns the seconds it took."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if library is not None:
        options.register_custom_ops_library(library)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run() -> float:
        start = time.perf_counter()
        session.run(None, feeds)
        return time.perf_counter() - start

    return run


def paired(
    plain: Callable[[], float], spiking: Callable[[], float], timesteps: int, repeats: int
) -> tuple[list[float], list[float]]:
    """Return the ratios, and the seconds of the spiking runs."""
    for _ in range(WARM_UP):
        plain()
        spiking()
    ratios, seconds = [], []
    for _ in range(repeats):
        ann = sum(plain() for _ in range(timesteps))
        seconds.append(spiking())
        ratios.append(ann / seconds[-1])
    return ratios, seconds


if __name__ == "__main__":
    main()

"""What a conformance net answers: onnxruntime without its optimisations."""

from __future__ import annotations

import os
from collections.abc import Mapping

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray


def reference(
    model: onnx.ModelProto, feeds: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]] | None:
    """Run the ANN unoptimised; None if onnxruntime does not run it."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    try:
        content = model.SerializeToString()
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        values = session.run(names, dict(feeds))
    except Exception:
        return None
    return dict(zip(names, map(np.asarray, values), strict=True))

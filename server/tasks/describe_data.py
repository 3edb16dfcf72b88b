"""Task: what arrays a data set holds, read from their headers; refuses bombs and pickles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx2snn.runtime.data.array_files import Arrays, read_npy, read_npz
from onnx2snn.server.sandbox import Progress
from onnx2snn.server.tasks.inputs import MAX_DATA_BYTES


def run(arguments: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Describe a data set.

    Args:
        arguments: ``data`` (file name in ``in/``).
        folder: of the task.
        progress: told what is going on.

    Returns:
        Names, types and shapes of its arrays.
    """
    path = folder / "in" / arguments["data"]
    progress("describe", 0.0)
    if path.suffix == ".npy":
        arrays: Arrays = {"": read_npy(path, MAX_DATA_BYTES)}
    else:
        arrays = read_npz(path, lambda names: names, MAX_DATA_BYTES)
    return {
        "arrays": [
            {"name": name, "type": str(array.dtype), "shape": list(array.shape)}
            for name, array in arrays.items()
        ]
    }

"""The one place that imports onnxruntime: telemetry off, threads and optimisation explicit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from onnx2snn.ir.errors import InvalidModelError, SimulationError
from onnx2snn.ir.resident_memory import MappedPages
from onnx2snn.ir.stored_weights import WeightFile, folder, has_stored

Tensors = dict[str, NDArray[np.generic]]


def use_stored(options: ort.SessionOptions) -> None:
    """Let a session map the weight file, and compute on the map: packed weights are a copy.

    Tensors of such a network are large: the arena would keep more than it saves.
    """
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", folder()
    )
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.enable_cpu_mem_arena = False


class Session:
    """A model loaded into onnxruntime on the CPU.

    Args:
        model: the model, or its serialised bytes.
        optimised: whether onnxruntime may rewrite the graph; off when it acts as a judge.
        folded: whether it may compute what depends on stored weights alone beforehand, and keep it.
        reread: whether every run reads the stored weights, or the first one only.
        threads: intra-op threads; 0 lets onnxruntime decide.
        library: custom-op library to register, if any.

    Raises:
        InvalidModelError: onnxruntime refuses the model.
    """

    def __init__(
        self,
        model: onnx.ModelProto | bytes,
        *,
        optimised: bool = True,
        folded: bool = True,
        reread: bool = True,
        threads: int = 0,
        library: str | None = None,
    ) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        # Memory patterns keep the peak of every batch size seen; freeing tensors early needs the
        # order of the file. Together: 1410 -> 410 MB for a recorded ResNet-20, and no slower.
        options.enable_mem_pattern = False
        options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
        if not optimised:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        if library is not None:
            options.register_custom_ops_library(library)
        self._weights = WeightFile()
        self._pages = MappedPages(reread)
        stored = False
        if isinstance(model, onnx.ModelProto):
            model = self._weights.store(model)
            stored = has_stored(model)
            if stored:
                use_stored(options)
        skipped = [] if folded or not stored else ["ConstantFolding"]
        content = model if isinstance(model, bytes) else model.SerializeToString()

        def load() -> ort.InferenceSession:
            return ort.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=skipped,
            )

        try:
            self._session = self._pages.made_by(load) if stored else load()
        except Exception as error:
            raise InvalidModelError(
                f"onnxruntime cannot load the model: {error}",
                remedy="check that the model runs in onnxruntime as it is",
            ) from error
        self.inputs: tuple[str, ...] = tuple(i.name for i in self._session.get_inputs())
        self.batched: tuple[str, ...] = tuple(
            i.name
            for i in self._session.get_inputs()
            if i.shape and not isinstance(i.shape[0], int)
        )
        self.outputs: tuple[str, ...] = tuple(o.name for o in self._session.get_outputs())

    def run(
        self, feeds: Mapping[str, NDArray[np.generic]], outputs: Sequence[str] | None = None
    ) -> Tensors:
        """Run the model once and return its outputs by name.

        Raises:
            SimulationError: onnxruntime stops with an error.
        """
        names = list(self.outputs if outputs is None else outputs)
        try:
            with self._pages.in_use():
                values = self._session.run(names, dict(feeds))
        except Exception as error:
            raise SimulationError(
                f"onnxruntime stopped: {error}",
                remedy="check names, shapes and data types of the inputs",
            ) from error
        return dict(zip(names, values, strict=True))

"""Running ordinary networks - the ANN and its quantised form - over chunks of samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from onnx2snn.ir.session import Session, Tensors
from onnx2snn.runtime.runs.chunks import chunk, fixed_batch, padded


class AnnRun:
    """An ordinary network in onnxruntime.

    Args:
        model: the network.
        samples: samples per call; None for a whole chunk. A batch size that the network's inputs
            declare goes before; short batches are padded and cut.
        threads: 0 lets onnxruntime decide.
    """

    def __init__(
        self, model: onnx.ModelProto, *, samples: int | None = None, threads: int = 0
    ) -> None:
        self._session = Session(model, threads=threads)
        constants = {tensor.name for tensor in model.graph.initializer}
        self._inputs = {i.name for i in model.graph.input} - constants
        self._fixed = fixed_batch(model.graph)
        self._samples = self._fixed or samples

    def run(
        self, feeds: Tensors, outputs: Sequence[str], constants: Tensors | None = None
    ) -> Tensors:
        """Return the named outputs for a chunk of samples.

        Args:
            feeds: samples by input name, [N, *F].
            outputs: names of the wanted outputs, each [N, ...].
            constants: inputs that are the same for every sample.
        """
        wanted = {name: values for name, values in feeds.items() if name in self._inputs}
        total = len(next(iter(feeds.values())))
        parts = []
        for place, part in chunk(wanted, self._samples or total):
            real = place.stop - place.start
            if self._fixed is not None and real < self._fixed:
                part = padded(part, self._fixed)
            results = self._session.run({**part, **(constants or {})}, outputs)
            parts.append({name: np.asarray(results[name])[:real] for name in outputs})
        return {name: np.concatenate([part[name] for part in parts]) for name in outputs}

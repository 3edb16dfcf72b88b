"""The judge: what a model computes on seeded inputs, and whether another one computes it too."""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn.converter.judging.agreement import QUANTISING_OPS, STEP_OPS, agree
from onnx2snn.converter.judging.batching import batched_inputs, stack_outputs
from onnx2snn.converter.judging.execution import Execution, ExecutionError, stack
from onnx2snn.ir.errors import InvariantError


class Judge:
    """Knows what the source computes on two seeded inputs, apart and as one batch.

    Raises:
        ExecutionError: ONNX Runtime cannot run the model.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        ops = {node.op_type for node in model.graph.node}
        self._allowed = {
            "stepped": bool(ops & STEP_OPS),
            "quantised": bool(ops & QUANTISING_OPS),
        }
        batched = batched_inputs(model)
        execution = Execution(model)
        self._feeds = [execution.feeds(1, seed) for seed in (0, 1)]
        for name in self._feeds[1]:
            if name not in batched and batched:
                self._feeds[1][name] = self._feeds[0][name]
        self._expected = [execution.run(feeds) for feeds in self._feeds]
        self._expected_together: dict[str, object] | None = None
        if batched:
            try:
                together = stack(self._feeds[0], self._feeds[1], batched)
                self._expected_together = execution.run(together)
            except ExecutionError:
                self._expected_together = None

    def check(self, model: onnx.ModelProto, name: str, *, half: bool = False) -> None:
        """Raise unless the model computes what the source does.

        Args:
            model: to be judged.
            name: of the pass that made it.
            half: the source rounds to half precision at every operator and the model does not.

        Raises:
            InvariantError: it does not.
        """
        try:
            problem = self._compare(model, half)
        except ExecutionError as error:
            problem = f"ONNX Runtime cannot run the result: {error}"
        if problem:
            raise InvariantError(
                f"the pass '{name}' changed what the model computes: {problem}",
                remedy="please report this as a bug, with the model if you may",
            )

    def distance(self, model: onnx.ModelProto) -> float:
        """Root mean square difference of the outputs, relative to their spread; the worst output.

        Numbers of any type count, labels (64-bit integers) do not.
        """
        execution = Execution(model)
        worst = 0.0
        for feeds, expected in zip(self._feeds, self._expected, strict=True):
            found = execution.run(feeds)
            for name, wanted in expected.items():
                if isinstance(wanted, np.ndarray) and wanted.dtype.kind in "fiu":
                    if wanted.dtype != np.int64:
                        worst = max(worst, _distance(np.asarray(found[name]), wanted))
        return worst

    def _compare(self, model: onnx.ModelProto, half: bool) -> str | None:
        execution = Execution(model)
        batched = batched_inputs(model)
        allowed = {**self._allowed, "half": half}
        found = execution.run(self._feeds[0])
        problem = agree(found, self._expected[0], **allowed)
        if problem:
            return problem
        together = self._expected_together or stack_outputs(*self._expected)
        if not batched or together is None:
            found = execution.run(self._feeds[1])
            return agree(found, self._expected[1], **allowed)
        feeds = stack(self._feeds[0], self._feeds[1], batched)
        return agree(execution.run(feeds), together, **allowed)


def _distance(found: np.ndarray, wanted: np.ndarray) -> float:
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    finite = np.isfinite(b) & np.isfinite(a)
    if a.shape != b.shape or not finite.any():
        return 0.0 if a.shape == b.shape else float("inf")
    spread = float(b[finite].std())
    scale = max(spread, 0.1 * float(np.abs(b[finite]).max()), 1e-6)
    return float(np.sqrt(np.mean((a - b)[finite] ** 2))) / scale

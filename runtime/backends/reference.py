"""The reference: onnx's own evaluator for standard operators, our numpy steps for spiking ones.

Slow and obvious: the judge of the other backends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from onnx2snn.ir.ops import DOMAIN, OPS, SpikingOp
from onnx2snn.ir.session import Tensors
from onnx2snn.ir.stored_weights import whole


class ReferenceBackend:
    """Evaluates every ``onnx2snn`` operator by its numpy step, never by its ONNX body.

    Args:
        ops: the operators that have a numpy step.
    """

    name = "reference"

    def __init__(self, ops: Sequence[SpikingOp] = OPS) -> None:
        self._classes = [
            made(op) for op in ops for made in (_sequence_class, _step_class, _chunk_class)
        ]

    def why_unavailable(self) -> str:
        """Return the empty string: onnx is a dependency of the package."""
        return ""

    def load(self, model: onnx.ModelProto, *, threads: int = 0) -> ReferenceModel:
        """Load a model; the evaluator has one thread, whatever is asked for."""
        return ReferenceModel(ReferenceEvaluator(whole(model), new_ops=self._classes), model)


class ReferenceModel:
    """A model loaded into the reference evaluator."""

    def __init__(self, evaluator: ReferenceEvaluator, model: onnx.ModelProto) -> None:
        self._evaluator = evaluator
        self.outputs: tuple[str, ...] = tuple(output.name for output in model.graph.output)

    def run(
        self, feeds: Mapping[str, NDArray[np.generic]], outputs: Sequence[str] | None = None
    ) -> Tensors:
        """Run the model once and return its outputs by name."""
        names = list(self.outputs if outputs is None else outputs)
        values = self._evaluator.run(names, dict(feeds))
        return dict(zip(names, map(np.asarray, values), strict=True))


def _sequence_class(op: SpikingOp) -> type[OpRun]:
    """Return the evaluator's class for a whole stream."""

    def run(self: Any, *inputs: Any, **_attributes: Any) -> tuple[Any, ...]:
        parameters = dict(zip(op.inputs[1:], inputs[1:], strict=True)) | _attributes_of(self)
        return (op.sequence(inputs[0], parameters),)

    return type(op.name, (OpRun,), {"op_domain": DOMAIN, "_run": run})


def _step_class(op: SpikingOp) -> type[OpRun]:
    """Return the evaluator's class for one timestep with explicit state."""

    def run(self: Any, *inputs: Any, **_attributes: Any) -> tuple[Any, ...]:
        named = dict(zip(op.step_inputs, inputs, strict=True))
        state = tuple(named[name] for name in op.state)
        y, following = op.step(inputs[0], state, int(named["t"]), named | _attributes_of(self))
        return (y, *following)

    return type(op.step_name, (OpRun,), {"op_domain": DOMAIN, "_run": run})


def _chunk_class(op: SpikingOp) -> type[OpRun]:
    """Return the evaluator's class for a chunk of timesteps with explicit state."""

    def run(self: Any, *inputs: Any, **_attributes: Any) -> tuple[Any, ...]:
        named = dict(zip(op.chunk_inputs, inputs, strict=True))
        state = tuple(named[name] for name in op.state)
        clock = named["clock"].tolist()
        y, following = op.chunk(inputs[0], state, clock, named | _attributes_of(self))
        return (y, *following)

    return type(op.chunk_name, (OpRun,), {"op_domain": DOMAIN, "_run": run})


def _attributes_of(op_run: Any) -> dict[str, NDArray[np.generic]]:
    return {
        attribute.name: np.asarray(helper.get_attribute_value(attribute))
        for attribute in op_run.onnx_node.attribute
    }

"""Every operator with random parameters, and its bodies as models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from onnx2snn.ir.ops import (
    DOMAIN,
    IR_VERSION,
    OPS,
    OPSET,
    IncrementMaxPool,
    IntegrateFire,
    Neuron,
    Scheduled,
    SpikingOp,
)
from onnx2snn.ir.somas import LINEAR, PRELU, SIGMOID

INTEGERS = ("t", "timesteps", "stimulus", "seed", "window", "clock")
BATCH, CHANNELS, SIDE = 2, 3, 5
SOMA_RANGES = {
    "slope": (0.0, 0.5),
    "alpha": (0.25, 1.5),
    "beta": (0.0, 1.0),
    "width": (0.5, 1.5),
    "gamma": (0.5, 1.5),
    "low": (-1.0, 0.0),
    "high": (0.0, 1.0),
}


def _is_tested(op: SpikingOp) -> bool:
    """All but those that only repeat, for another soma, what is tested without one."""
    if not isinstance(op, Neuron):
        return True
    if isinstance(op, Scheduled):  # the schedule does not know the soma nor the digits
        return op.soma in (LINEAR, SIGMOID) and getattr(op, "digits", 2) == 2
    if op.soma in (LINEAR, PRELU):
        return True
    return not isinstance(op, IntegrateFire) and getattr(op, "digits", 1) <= 2


TESTED_OPS = tuple(op for op in OPS if _is_tested(op))


@dataclass(frozen=True)
class Case:
    """One operator with everything it needs.

    Attributes:
        op: the operator.
        x: its stream, one array [T, N, *F].
        inputs: its other inputs by formal name.
        attributes: its attributes.
    """

    op: SpikingOp
    x: np.ndarray
    inputs: dict[str, np.ndarray]
    attributes: dict[str, object]

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return {**self.inputs, **{k: np.asarray(v) for k, v in self.attributes.items()}}


def dyadic(rng: np.random.Generator, shape, low: float, high: float) -> np.ndarray:
    """Multiples of 2^-10: their sums are exact in float32, in any order."""
    return (np.round(rng.uniform(low, high, shape) * 1024) / 1024).astype(np.float32)


def case(op: SpikingOp, seed: int = 0, timesteps: int = 6, stimulus: int = 2) -> Case:
    rng = np.random.default_rng(seed)
    x = dyadic(rng, (timesteps, BATCH, CHANNELS, SIDE, SIDE), -1.5, 2.0)
    per_channel = (1, CHANNELS, 1, 1)
    inputs: dict[str, np.ndarray] = {}
    attributes: dict[str, object] = {}
    for name in op.inputs[1:]:
        if name == "quantum":
            inputs[name] = rng.uniform(0.05, 0.3, per_channel).astype(np.float32)
        elif name == "current":
            inputs[name] = dyadic(rng, per_channel, -0.5, 0.5)
        elif name == "leak":
            inputs[name] = rng.uniform(0.5, 1.0, per_channel).astype(np.float32)
        elif name in SOMA_RANGES:
            inputs[name] = dyadic(rng, per_channel, *SOMA_RANGES[name])
        elif name == "table":
            inputs[name] = dyadic(rng, (4, CHANNELS, 1, 1), -0.5, 0.5)
        elif name in ("n_min", "n_max"):
            inputs[name] = np.array({"n_min": -7, "n_max": 15}[name], np.float32)
        else:
            values = {"timesteps": timesteps, "stimulus": stimulus}
            values |= {"seed": seed + 2**40 - 7, "window": max(1, timesteps - 1)}
            inputs[name] = np.array(values[name], np.int64)
    if "MaxPool" in op.name:
        attributes = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
        attributes |= {"dilations": [1, 2], "ceil_mode": 1}
    if isinstance(op, Neuron):
        attributes |= {name: float(rng.uniform(0.1, 0.9)) for name in op.attributes}
        attributes |= {"negative_threshold": -0.25} if "negative_threshold" in attributes else {}
    if isinstance(op, Scheduled):
        attributes |= {"silent_steps": float(seed % 3), "switch_off": float(seed % 2 == 0)}
    if isinstance(op, IncrementMaxPool):
        x = np.round(x) * inputs["quantum"]
    return Case(op, x, inputs, attributes)


def sequence_model(case: Case) -> onnx.ModelProto:
    """The sequence body as a model: inputs as the operator's, output y."""
    return _model(case, case.op.sequence_body(), case.op.inputs, ("y",))


def settled_model(case: Case) -> onnx.ModelProto:
    return _model(case, case.op.settled_body(), case.op.inputs, ("y",))


def step_model(case: Case) -> onnx.ModelProto:
    """The step body as a model: outputs y and the next states, in order."""
    outputs = ("y", *(f"{name}_next" for name in case.op.state))
    return _model(case, case.op.step_body(), case.op.step_inputs, outputs)


def chunk_model(case: Case) -> onnx.ModelProto:
    """The chunk body as a model: outputs y and the next states, in order; needs the step body."""
    outputs = ("y", *(f"{name}_next" for name in case.op.state))
    model = _model(case, case.op.chunk_body(), case.op.chunk_inputs, outputs)
    if case.op.chunk_body().opset_import[-1].domain == DOMAIN:
        model.functions.append(case.op.step_body())
    return model


def _model(case: Case, body: onnx.FunctionProto, inputs, outputs) -> onnx.ModelProto:
    node = helper.make_node(
        body.name, list(inputs), list(outputs), domain=DOMAIN, **case.attributes
    )
    kinds = {n: onnx.TensorProto.INT64 if n in INTEGERS else onnx.TensorProto.FLOAT for n in inputs}
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(n, kinds[n], _shape(case, n)) for n in inputs],
        [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [None] * 4) for n in outputs],
    )
    return helper.make_model(
        graph,
        functions=[body],
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        ir_version=IR_VERSION,
    )


def _shape(case: Case, name: str) -> list[None]:
    if name == "clock":
        return [None]
    if name in INTEGERS:
        return []
    return [None] * (case.inputs[name].ndim if name in case.inputs else 4)

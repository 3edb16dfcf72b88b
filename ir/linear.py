"""The linear operators: what may act on a stream step by step, unchanged and bias-free.

An operator f is linear in its stream inputs iff f(a + b) = f(a) + f(b) with every other input
constant. Then f of the stream is the stream of f, and no input event means no output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LinearOp:
    """How one ONNX operator is linear.

    Attributes:
        streams: positions that may carry a stream; None means all positions.
        bias: positions of additive constants, which a spiking model must not have.
        exactly_one: whether only one of ``streams`` may carry a stream (products).
        synapse: whether the operator applies trained weights, so that spikes must arrive at it.
    """

    streams: tuple[int, ...] | None = (0,)
    bias: tuple[int, ...] = ()
    exactly_one: bool = False
    synapse: bool = False


LINEAR_OPS: Mapping[str, LinearOp] = {
    "Conv": LinearOp(bias=(2,), synapse=True),
    "ConvTranspose": LinearOp(bias=(2,), synapse=True),
    "Gemm": LinearOp(bias=(2,), synapse=True),
    "MatMul": LinearOp(streams=(0, 1), exactly_one=True, synapse=True),
    "Einsum": LinearOp(streams=None, exactly_one=True, synapse=True),
    "Mul": LinearOp(streams=(0, 1), exactly_one=True),
    "Div": LinearOp(streams=(0,)),
    "Add": LinearOp(streams=None),
    "Sub": LinearOp(streams=None),
    "Sum": LinearOp(streams=None),
    "Mean": LinearOp(streams=None),
    "Neg": LinearOp(),
    "Identity": LinearOp(),
    "AveragePool": LinearOp(),
    "GlobalAveragePool": LinearOp(),
    "ReduceMean": LinearOp(),
    "ReduceSum": LinearOp(),
    "CumSum": LinearOp(),
    "Concat": LinearOp(streams=None),
    "Flatten": LinearOp(),
    "Reshape": LinearOp(),
    "Squeeze": LinearOp(),
    "Unsqueeze": LinearOp(),
    "Transpose": LinearOp(),
    "Slice": LinearOp(),
    "Split": LinearOp(),
    "Expand": LinearOp(),
    "Tile": LinearOp(),
    "Gather": LinearOp(),
    "GatherElements": LinearOp(),
    "GatherND": LinearOp(),
    "DepthToSpace": LinearOp(),
    "SpaceToDepth": LinearOp(),
    "Pad": LinearOp(),
    "Resize": LinearOp(),
    "Trilu": LinearOp(),
    "Where": LinearOp(streams=(1, 2)),
}


def why_not_linear(op_type: str, is_stream: Sequence[bool]) -> str:
    """Say why an operator is not linear in its stream inputs; empty if it is.

    Args:
        op_type: operator of the standard ONNX domain.
        is_stream: per input, whether it carries a stream (the others are constants).
    """
    op = LINEAR_OPS.get(op_type)
    if op is None:
        return f"{op_type} is not a linear operator"
    allowed = range(len(is_stream)) if op.streams is None else op.streams
    wrong = [i for i, stream in enumerate(is_stream) if stream and i not in allowed]
    if wrong:
        return f"{op_type} is not linear in input {wrong[0]}"
    if op.exactly_one and sum(is_stream) != 1:
        return f"{op_type} multiplies two activations"
    return ""


def is_synapse(op_type: str) -> bool:
    """Whether an operator applies trained weights."""
    op = LINEAR_OPS.get(op_type)
    return op is not None and op.synapse

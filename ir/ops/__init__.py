"""The operators of the ONNX domain ``onnx2snn``: one file an operator (or a family of one law)."""

from __future__ import annotations

import onnx

from onnx2snn.ir.errors import InvariantError
from onnx2snn.ir.ops.base import SpikingOp
from onnx2snn.ir.ops.direct_current import DirectCurrent
from onnx2snn.ir.ops.domain import DOMAIN, DOMAIN_VERSION, IR_VERSION, OPSET
from onnx2snn.ir.ops.estimate import Estimate, Hold, Increment
from onnx2snn.ir.ops.first_spike import FirstSpike
from onnx2snn.ir.ops.graded_integrate_fire import GradedIntegrateFire
from onnx2snn.ir.ops.hard_reset_integrate_fire import HardResetIntegrateFire
from onnx2snn.ir.ops.integrate_fire import IntegrateFire
from onnx2snn.ir.ops.leaky_integrate_fire import LeakyIntegrateFire
from onnx2snn.ir.ops.max_pool import GatedMaxPool, IncrementMaxPool, MembraneMaxPool
from onnx2snn.ir.ops.neuron import Neuron
from onnx2snn.ir.ops.poisson_spikes import PoissonSpikes
from onnx2snn.ir.ops.read_out import ReadOut, RunningReadOut
from onnx2snn.ir.ops.scheduled import (
    Scheduled,
    ScheduledGradedIntegrateFire,
    ScheduledIntegrateFire,
    ScheduledSignedIntegrateFire,
)
from onnx2snn.ir.ops.signed_integrate_fire import SignedIntegrateFire
from onnx2snn.ir.ops.temporal_bias import TemporalBias
from onnx2snn.ir.somas import SOMAS

MAX_DIGITS = 8
"""Digits one graded emission may have: 8 carry an 8-bit value in a single timestep."""

OPS: tuple[SpikingOp, ...] = (
    DirectCurrent(),
    PoissonSpikes(),
    FirstSpike(),
    LeakyIntegrateFire(),
    ReadOut(),
    RunningReadOut(),
    Estimate(),
    Increment(),
    Hold(),
    IncrementMaxPool(),
    MembraneMaxPool(),
    GatedMaxPool(),
    TemporalBias(),
    *(IntegrateFire(soma) for soma in SOMAS),
    *(SignedIntegrateFire(soma) for soma in SOMAS),
    *(GradedIntegrateFire(soma, k) for soma in SOMAS for k in range(1, MAX_DIGITS + 1)),
    HardResetIntegrateFire(),
    *(ScheduledIntegrateFire(soma) for soma in SOMAS),
    *(ScheduledSignedIntegrateFire(soma) for soma in SOMAS),
    *(ScheduledGradedIntegrateFire(soma, k) for soma in SOMAS for k in range(1, MAX_DIGITS + 1)),
)


def spiking_op(node: onnx.NodeProto, ops: tuple[SpikingOp, ...] = OPS) -> SpikingOp:
    """Return the operator a node of the domain ``onnx2snn`` refers to.

    Raises:
        InvariantError: the node's ``op_type`` is not one of ``ops``.
    """
    for op in ops:
        if op.name == node.op_type:
            return op
    raise InvariantError(
        f"node '{node.name}' has unknown operator {DOMAIN}::{node.op_type}",
        remedy="the file was written by a newer version of onnx2snn; upgrade the package",
    )


__all__ = [
    "DOMAIN",
    "DOMAIN_VERSION",
    "IR_VERSION",
    "MAX_DIGITS",
    "OPS",
    "OPSET",
    "DirectCurrent",
    "Estimate",
    "FirstSpike",
    "GatedMaxPool",
    "GradedIntegrateFire",
    "HardResetIntegrateFire",
    "Hold",
    "Increment",
    "IncrementMaxPool",
    "IntegrateFire",
    "LeakyIntegrateFire",
    "MembraneMaxPool",
    "Neuron",
    "PoissonSpikes",
    "ReadOut",
    "RunningReadOut",
    "Scheduled",
    "ScheduledGradedIntegrateFire",
    "ScheduledIntegrateFire",
    "ScheduledSignedIntegrateFire",
    "SignedIntegrateFire",
    "SpikingOp",
    "TemporalBias",
    "spiking_op",
]

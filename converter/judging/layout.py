"""Layout: prove by running that time may be folded into the batch axis.

A folded model is right iff its nodes treat the samples of a batch independently. Then a run at
batch 2 equals two runs at batch 1. That is decided by running, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnx2snn.converter.judging.execution import stack
from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.errors import InvalidModelError, SimulationError
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.manifest import MANIFEST_KEY
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors

Same = Callable[[NDArray[np.generic], NDArray[np.generic]], bool]

PROBE_TIMESTEPS = 3
FIXED_BATCH = Finding(
    code="fixed-batch",
    severity="warning",
    message="the network mixes the samples of a batch: it runs at the batch of the source only",
    remedy="export the model with a dynamic batch axis",
)


def lay_out(model: SpikingModel, ann: onnx.ModelProto, samples: Tensors) -> SpikingModel:
    """Return the model as it is if it folds, else as a Scan over its step graph.

    The spiking model alone cannot tell: what is written to the first row of a batch is right for
    timestep 1 of sample 1, so the ANN has to keep its samples apart, too.

    A network that does not treat samples independently in that layout either runs at the batch of
    the source only; the manifest then says so.
    """
    if can_fold(model, ann, samples):
        return model
    scanned = to_scan(model)
    return scanned if can_fold(scanned, ann, samples) else with_finding(scanned, FIXED_BATCH)


def can_fold(model: SpikingModel, ann: onnx.ModelProto, samples: Tensors) -> bool:
    """Whether both the ANN and the spiking model keep the samples of a batch apart."""
    return separates(Session(ann), samples, {}, _equal) and folds(model, samples)


def with_finding(model: SpikingModel, finding: Finding) -> SpikingModel:
    """Return the model with one more finding in its manifest."""
    manifest = model.manifest
    changed = manifest.model_copy(update={"findings": (*manifest.findings, finding)})
    proto = onnx.ModelProto()
    proto.CopyFrom(model.light)
    helper.set_model_props(proto, {MANIFEST_KEY: changed.model_dump_json()})
    return SpikingModel(proto, model.weights)


def folds(model: SpikingModel, samples: Tensors) -> bool:
    """Whether a spiking model treats the samples of a batch independently.

    Args:
        model: the sealed model, in either layout.
        samples: at least one sample per input; two different ones are compared.
    """
    clock: Tensors = {model.timesteps_input: np.asarray(PROBE_TIMESTEPS, np.int64)}
    try:
        # ONNX Runtime inlines every body. Rewriting that graph for a few runs costs more than it
        # saves, and its time grows faster than the network.
        session = Session(model.light, optimised=False)
        return separates(session, samples, clock, _same)
    except InvalidModelError:
        return False


def separates(session: Session, samples: Tensors, constants: Tensors, same: Same) -> bool:
    """Whether a batch of two samples gives what the two give alone.

    Args:
        session: the model.
        samples: two different ones are compared.
        constants: feeds that have no batch axis.
        same: when two outputs are the same.
    """
    batched = set(session.batched) & set(samples)
    if not batched:
        return False
    first = {name: v[:1] if name in batched else v for name, v in samples.items()}
    second = {name: _another(v) if name in batched else v for name, v in samples.items()}
    both = stack(first, second, batched)
    try:
        alone = [session.run({**feeds, **constants}) for feeds in (first, second)]
        together = session.run({**both, **constants})
    except SimulationError:
        return False
    return all(
        together[name].ndim > 0
        and same(np.concatenate([alone[0][name], alone[1][name]]), together[name])
        for name in together
    )


def _another(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return a sample that differs from the first: the last one, or the first one mirrored."""
    last = values[-1:]
    return (
        last if not np.array_equal(last, values[:1]) else np.flip(last, tuple(range(1, last.ndim)))
    )


def _equal(expected: NDArray[np.generic], actual: NDArray[np.generic]) -> bool:
    """Whether the answers of an ANN agree: up to the order of its sums, or to borderline labels."""
    if expected.shape != actual.shape or expected.dtype.kind != "f":
        return expected.shape == actual.shape
    wide, found = np.asarray(expected, np.float64), np.asarray(actual, np.float64)
    return bool(np.allclose(found, wide, rtol=0, atol=1e-2 * max(float(np.abs(wide).max()), 1e-6)))


def _same(expected: NDArray[np.generic], actual: NDArray[np.generic]) -> bool:
    if expected.shape != actual.shape:
        return False
    if expected.dtype.kind != "f":
        return bool(np.mean(expected == actual) > 0.99)
    scale = float(np.abs(expected).max(initial=1e-6))
    # A spike may flip on float32 rounding (summation order depends on the batch): compare the
    # bulk, not the worst element.
    gap = np.abs(np.asarray(expected, np.float64) - np.asarray(actual, np.float64))
    return bool(np.median(gap) <= 1e-3 * scale)

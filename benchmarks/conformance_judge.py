"""Convert the network of a conformance case, run it to silence, and compare it with the ANN."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnx
from conformance_cases import GRID, Left, Net, variants
from conformance_reference import reference
from numpy.typing import NDArray
from onnx import TensorProto

from onnx2snn.converter.convert import convert
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.errors import DataError, InvariantError, ModelError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors

Verdict = Literal["pass", "refused", "not applicable", "failed"]
FINER = 16
DRAWS = 64
TIMESTEPS = 48
"""Twice what the longest chain of these networks needs to fall silent."""


@dataclass(frozen=True)
class Result:
    """What became of a case.

    Attributes:
        name: of the case.
        op: its operator.
        verdict: ``pass``: within the grid; ``refused``: by an error that says why; ``failed``:
            anything else.
        how: what the operator became, for a pass (``linear``, ``neuron``, ``lift`` ...).
        reason: why it is not a pass.
    """

    name: str
    op: str
    verdict: Verdict
    how: str = ""
    reason: str = ""


def judge(name: str) -> list[Result]:
    """Judge every network of a case; nothing is raised."""
    results = []
    for net in variants(name):
        if isinstance(net, Left):
            results.append(Result(net.name, net.op, "not applicable", reason=net.reason))
            continue
        try:
            results.append(judge_net(net))
        except Exception as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            results.append(Result(net.name, net.op, "failed", reason=text[:300]))
    return results


def judge_net(net: Net) -> Result:
    """Convert one network and compare it at silence with onnxruntime on the ANN."""
    expected = reference(net.model, net.feeds)
    if expected is None:
        return _left(net, "onnxruntime does not run the case")
    if not all(np.isfinite(v.astype(np.float64)).all() for v in _floats(expected).values()):
        return _left(net, "its result is not finite")
    try:
        model, _ = convert(net.model, calibration=dict(net.feeds))
    except InvariantError:
        raise
    except (ModelError, DataError) as error:
        return Result(net.name, net.op, "refused", reason=_why(error))
    if _is_rounded(model):
        return _left(net, "its input needs more levels than the input encoder has")
    problem, excess = _difference(net, at_silence(model, net), expected, model)
    how = next((f.fate for f in model.manifest.nodes if f.node == net.wrapped), "folded")
    if how == "folded" and any(node.op_type == "Increment" for node in model.plain.graph.node):
        how = "lift"
    if problem and excess < FINER and _shrinks(net, expected, excess):
        problem = ""
    if not problem:
        return Result(net.name, net.op, "pass", how=how)
    settled = Session(settle(model)).run({**net.feeds, **_clock(model)})
    stuck, _ = _difference(net, at_silence(model, net), settled, model)
    blame = f"; not settled: {stuck}" if stuck else "; the quantised ANN differs as much"
    return Result(net.name, net.op, "failed", how=how, reason=problem + blame)


def _is_rounded(model: SpikingModel) -> bool:
    """Whether an input lies on no grid the encoder knows, and its quantum is wider than ours."""
    inputs = {fate.node for fate in model.manifest.nodes if fate.fate == "input"}
    quanta = [float(layer.quantum.max()) for layer in model.neurons if layer.name in inputs]
    codes = {finding.code for finding in model.manifest.findings}
    return "input-quantised" in codes and max(quanta, default=0.0) > 0.5 / GRID


def at_silence(model: SpikingModel, net: Net) -> Tensors:
    """Run the spiking network until nothing changes any more."""
    return Session(model.to_bytes()).run({**net.feeds, **_clock(model)})


def _clock(model: SpikingModel) -> Tensors:
    return {model.timesteps_input: np.asarray(TIMESTEPS, np.int64)}


def _shrinks(net: Net, expected: Tensors, excess: float) -> bool:
    """Whether the difference is the grid's: on one 16 times finer it is less than a quarter."""
    model, _ = convert(net.model, calibration=dict(net.feeds), levels=2047 * FINER)
    _, remaining = _difference(net, at_silence(model, net), expected, model)
    return remaining * 4 / FINER < excess


def tolerance(model: SpikingModel, scale: float, half: bool) -> float:
    """Return half a quantum of every layer behind the input, and float32 (or half) rounding.

    The slopes between those layers are at most one: soma functions and the LeakyRelu.
    """
    inputs = {fate.node for fate in model.manifest.nodes if fate.fate == "input"}
    quanta = [float(layer.quantum.max()) for layer in model.neurons if layer.name not in inputs]
    return 1.2 * sum(quanta) / 2 + (4e-3 if half else 2e-5) * max(scale, 1e-3)


def _difference(
    net: Net, found: Tensors, expected: Tensors, model: SpikingModel
) -> tuple[str, float]:
    """Say how outputs differ (nothing if they do not), and by how many times what is allowed."""
    if found.keys() != expected.keys():
        return f"outputs are {sorted(found)}, not {sorted(expected)}", np.inf
    worst = ("", 0.0)
    for name, wanted in expected.items():
        value = found[name]
        if wanted.dtype.kind != "f" and value.dtype == wanted.dtype:
            changed = _changed(net, value, wanted, model, name)
            if changed:
                return f"'{name}' differs in {changed} of {wanted.size} places", np.inf
            continue
        if value.shape != wanted.shape or value.dtype != wanted.dtype:
            kinds = f"{value.dtype}{value.shape}, not {wanted.dtype}{wanted.shape}"
            return f"'{name}' is {kinds}", np.inf
        exact = np.asarray(wanted, np.float64)
        gap = float(np.abs(np.asarray(value, np.float64) - exact).max(initial=0.0))
        half = wanted.dtype.itemsize == 2 or _in_half(net.model.graph)
        bound = tolerance(model, float(np.abs(exact).max(initial=0.0)), half)
        if not gap <= bound * max(worst[1], 1.0):
            worst = f"'{name}' differs by {gap:.3g}, allowed {bound:.3g}", gap / bound
    return worst


def _in_half(graph: onnx.GraphProto) -> bool:
    """Whether the ANN computes in half precision, which rounds at every operator."""
    kinds = [info.type.tensor_type.elem_type for info in graph.input]
    kinds += [tensor.data_type for tensor in graph.initializer]
    return bool({TensorProto.FLOAT16, TensorProto.BFLOAT16} & set(kinds))


def _changed(
    net: Net,
    found: NDArray[np.generic],
    wanted: NDArray[np.generic],
    model: SpikingModel,
    output: str,
) -> int:
    """Count labels that differ, but for those that are borderline.

    Borderline: the ANN's own label changes if its input moves by a quantum. That is sought only
    where something differs.
    """
    if np.array_equal(found, wanted):
        return 0
    rng = np.random.default_rng(0)
    step = 2 * tolerance(model, 1.0, half=False)
    steady = np.ones(wanted.shape, np.bool_)
    for _ in range(DRAWS):
        feeds = {
            name: (values + step * rng.uniform(-1.0, 1.0, np.shape(values))).astype(values.dtype)
            for name, values in net.feeds.items()
        }
        near = (reference(net.model, feeds) or {})[output]
        if near.shape != wanted.shape:
            return 0  # even how many there are depends on it
        steady &= near == wanted
    return int(((found != wanted) & steady).sum()) if found.shape == wanted.shape else wanted.size


def _floats(values: Tensors) -> Tensors:
    return {name: value for name, value in values.items() if value.dtype.kind == "f"}


def _left(net: Net, reason: str) -> Result:
    return Result(net.name, net.op, "not applicable", reason=reason)


def _why(error: ModelError | DataError) -> str:
    texts = [f"{f.op or f.code}: {f.message}" for f in error.findings] or [error.message]
    return "; ".join(dict.fromkeys(texts))

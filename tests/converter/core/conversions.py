"""Conversion of the tiny nets, shared by the tests of the converter's core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from tests.nets import build

from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.convert import convert
from onnx2snn.converter.judging.execution import Execution
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session, Tensors

SILENT_AT = {"graded": 32, "fast": 24, "ternary": 200}


def draw(model: onnx.ModelProto, count: int = 8, seed: int = 0) -> Tensors:
    """Seeded samples [count, *F] for every input; integers are 0 or 1."""
    execution = Execution(model)
    singles = [execution.feeds(1, seed=2 * (seed + i)) for i in range(count)]
    return {name: np.concatenate([single[name] for single in singles]) for name in singles[0]}


@dataclass(frozen=True)
class Outcome:
    """One conversion and what the three networks answer."""

    ann: onnx.ModelProto
    model: SpikingModel
    spiking: Tensors
    settled: Tensors
    expected: Tensors

    def relative_error(self, found: Tensors, wanted: Tensors) -> float:
        return max(
            float(np.linalg.norm(found[name] - value) / max(float(np.linalg.norm(value)), 1e-6))
            for name, value in wanted.items()
        )


def run(model: SpikingModel, feeds: Tensors, timesteps: int) -> Tensors:
    clock: Tensors = {model.timesteps_input: np.asarray(timesteps, np.int64)}
    return Session(model.to_bytes()).run({**feeds, **clock})


def run_settled(model: SpikingModel, feeds: Tensors, timesteps: int = 1) -> Tensors:
    clock: Tensors = {model.timesteps_input: np.asarray(timesteps, np.int64)}
    return Session(settle(model), optimised=False).run({**feeds, **clock})


def outcome(net: str | onnx.ModelProto, preset: str, **knobs: object) -> Outcome:
    """Convert a net with its own samples as calibration data and run it until it is silent."""
    ann = build(net) if isinstance(net, str) else net
    feeds = draw(ann)
    model, _ = convert(ann, calibration=feeds, preset=preset, **knobs)
    one = {name: values[:1] for name, values in feeds.items()}
    assert find_preset(preset).stimulus is not None, "rate coding never falls silent"
    return Outcome(
        ann,
        model,
        run(model, one, SILENT_AT[preset]),
        run_settled(model, one),
        Session(ann, optimised=False).run(one),
    )

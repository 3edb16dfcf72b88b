"""The nine light models of the onnx package: real architectures, weights made in the graph.

Their weights are one constant each, so that all outputs are alike. Here every weight of two or
more axes is drawn from a seed instead (He initialisation); what has one axis stays as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
from conformance_judge import Result
from onnx import numpy_helper

from onnx2snn.converter.convert import convert
from onnx2snn.ir.errors import DataError, InvariantError, ModelError
from onnx2snn.ir.session import Session, Tensors

FOLDER = Path(onnx.backend.test.__file__).parent / "data" / "light"
NAMES = tuple(sorted(p.stem.removeprefix("light_") for p in FOLDER.glob("*.onnx")))
TIMESTEPS = 16
WITHIN = 0.02
"""Relative error in L2 that is allowed after 16 timesteps: up to 120 layers of 2047 levels."""


def judge_light(name: str) -> list[Result]:
    """Convert a light model, run it for 16 timesteps and compare it with the ANN."""
    op = f"light model {name}"
    try:
        return [_judge(name, op)]
    except InvariantError as error:
        return [Result(name, op, "failed", reason=str(error)[:300])]
    except (ModelError, DataError) as error:
        return [Result(name, op, "refused", reason=str(error)[:300])]
    except Exception as error:
        return [Result(name, op, "failed", reason=f"{type(error).__name__}: {error}"[:300])]


def _judge(name: str, op: str) -> Result:
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    rng = np.random.default_rng(0)
    _draw_weights(model.graph, rng)
    stored = {tensor.name for tensor in model.graph.initializer}
    feeds: Tensors = {
        info.name: rng.integers(0, 256, [d.dim_value for d in info.type.tensor_type.shape.dim])
        / np.float32(255)
        for info in model.graph.input
        if info.name not in stored
    }
    feeds = {key: value.astype(np.float32) for key, value in feeds.items()}
    expected = Session(model, optimised=False).run(feeds)
    spiking, report = convert(model, calibration=feeds)
    clock: Tensors = {spiking.timesteps_input: np.asarray(TIMESTEPS, np.int64)}
    found = Session(spiking.to_bytes()).run({**feeds, **clock})
    error = max(_relative(found[key], value) for key, value in expected.items())
    told = f"{report.neuron_layers} neuron layers, relative error {error:.2g} at T = {TIMESTEPS}"
    if error > WITHIN:
        return Result(name, op, "failed", reason=told)
    return Result(name, op, "pass", how=told)


def _draw_weights(graph: onnx.GraphProto, rng: np.random.Generator) -> None:
    """Replace ConstantOfShape by weights."""
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "ConstantOfShape"]:
        shape = shapes[node.input[0]].tolist()
        if len(shape) < 2:
            continue
        spread = np.sqrt(2 / np.prod(shape[1:]))
        weight = rng.standard_normal(shape, np.float32) * np.float32(spread)
        graph.initializer.append(numpy_helper.from_array(weight, node.output[0]))
        graph.node.remove(node)


def _relative(found: np.ndarray, wanted: np.ndarray) -> float:
    exact = wanted.astype(np.float64)
    return float(np.linalg.norm(found - exact) / max(float(np.linalg.norm(exact)), 1e-12))

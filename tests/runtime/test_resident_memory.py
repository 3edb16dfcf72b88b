"""Networks of large weights: what they hold in memory, measured in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from spiking_nets import DOMAIN, STIMULUS, neuron_constants, sealed

from onnx2snn.runtime.native.library import why_not_built

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

INNER, OUTER = 3072, 4096
MIB = 4 * INNER * OUTER / 2**20
SCRIPT = """
import json, sys
import numpy as np
from onnx2snn.ir import stored_weights
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.runs.simulate import simulate

path, least, backend = sys.argv[1:]
stored_weights.LEAST_TOTAL = int(least)
def held():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return [int(lines[key].split()[0]) / 1024 for key in ("RssAnon", "RssFile", "VmHWM")]
x = np.random.default_rng(0).uniform(0, 1, (2, 16)).astype(np.float32)
held_by = {"idle": held()}
model = SpikingModel.load(path)
held_by["loaded"] = held()
for name in ("run", "second run"):
    simulate(model, x, backend=backend, threads=1)
    held_by[name] = held()
print(json.dumps(held_by))
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense net of three layers; the one in the middle has 48 MiB of weights."""
    steps = STIMULUS.replace("/", "_")
    rng = np.random.default_rng(0)
    neurons = f"timesteps, {steps})"
    text = f"""
    wide (float[N, 16] x, int64 timesteps) => (float[N, 4] y) {{
      shown = {DOMAIN}.DirectCurrent (x, {neurons}
      [encoder] s0 = {DOMAIN}.GradedIntegrateFire (shown, e_q, e_c, e_min, e_max, {neurons}
      z1 = MatMul (s0, w1)
      [first] s1 = {DOMAIN}.GradedIntegrateFire (z1, a_q, a_c, a_min, a_max, {neurons}
      z2 = MatMul (s1, w2)
      [second] s2 = {DOMAIN}.GradedIntegrateFire (z2, b_q, b_c, b_min, b_max, {neurons}
      z3 = MatMul (s2, w3)
      [out] y = {DOMAIN}.ReadOut (z3, o_c, {neurons}
    }}"""
    shapes = {"w1": (16, INNER), "w2": (INNER, OUTER), "w3": (OUTER, 4)}
    constants = {
        **{name: rng.normal(0, 0.02, shape).astype(np.float32) for name, shape in shapes.items()},
        **neuron_constants(rng, "e", [1, 16]),
        **neuron_constants(rng, "a", [1, INNER]),
        **neuron_constants(rng, "b", [1, OUTER]),
        "o_c": np.zeros((1, 4), np.float32),
    }
    model = sealed(text, constants, timesteps=4)
    return model.save(tmp_path_factory.mktemp("wide") / "wide.snn.onnx")


def rises(path: Path, least: int, backend: str) -> dict[str, dict[str, float]]:
    """Rise over the idle process, in units of the weights, by point of time and kind."""
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(least), backend],
        check=True,
        capture_output=True,
        text=True,
    )
    held = {at: np.array(values) for at, values in json.loads(told.stdout).items()}
    kinds = ("anonymous", "mapped", "peak")
    return {
        at: dict(zip(kinds, ((values - held["idle"]) / MIB).tolist(), strict=True))
        for at, values in held.items()
    }


def test_loading_and_running_keep_nothing_of_stored_weights(path: Path) -> None:
    """The bounds leave a quarter of the weights, 12 MiB, to everything else."""
    rise = rises(path, 2**20, "onnxruntime")
    assert rise["loaded"]["anonymous"] < 0.25
    for at in ("run", "second run"):
        assert rise[at]["anonymous"] < 0.25
        assert rise[at]["mapped"] < 0.5  # code of the libraries comes in with the first run
    assert rise["second run"]["peak"] < 2
    whole = rises(path, 2**40, "onnxruntime")  # what the bounds are there to find
    assert whole["loaded"]["anonymous"] > 1
    assert whole["run"]["peak"] > 2


@pytest.mark.skipif(bool(why_not_built()), reason="the compiled library is not built")
def test_the_lowering_keeps_no_copy_of_the_weights(path: Path) -> None:
    """A lowered network is gone with its session; the C++ core has its own order while it lives."""
    rise = rises(path, 2**20, "event")
    assert rise["second run"]["anonymous"] < 0.25

"""Every backend gives what the reference gives."""

from __future__ import annotations

import numpy as np
import pytest
from spiking_nets import conv_net, images

from onnx2snn.ir.errors import SimulationError
from onnx2snn.runtime.backends import BACKENDS, Backend, find_backend
from onnx2snn.runtime.backends.event import weights_of
from onnx2snn.runtime.backends.reference import ReferenceBackend
from onnx2snn.runtime.runs.simulate import simulate

KINDS = ("GradedIntegrateFire", "SignedIntegrateFire", "IntegrateFire", "GradedIntegrateFire_x2")
EACH = pytest.mark.parametrize(
    "backend",
    [
        pytest.param(
            backend,
            id=backend.name,
            marks=pytest.mark.skipif(
                bool(backend.why_unavailable()), reason=backend.why_unavailable() or "available"
            ),
        )
        for backend in BACKENDS
        if weights_of(backend.name) == "float32"
    ],
)


@EACH
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stimulus", [1, None], ids=["S=1", "S=T"])
def test_equals_the_reference(backend: Backend, kind: str, stimulus: int | None) -> None:
    model, x = conv_net(kind, stimulus), images(2)
    ours = simulate(model, x, timesteps=6, backend=backend.name, record="spikes")
    theirs = simulate(model, x, timesteps=6, backend="reference", record="spikes")
    for layer in ("encoder", "relu1", "relu2"):
        np.testing.assert_array_equal(ours.layers[layer].spikes, theirs.layers[layer].spikes)
        np.testing.assert_array_equal(ours.layers[layer].events, theirs.layers[layer].events)
    for name in model.outputs:  # sums inside Conv and Gemm run in another order
        np.testing.assert_allclose(ours.outputs[name], theirs.outputs[name], atol=1e-5)


def test_the_reference_runs_numpy_steps_not_bodies() -> None:
    """With the body of the neuron removed, the reference still runs the file."""
    model, x = conv_net(), images(1)
    broken = type(model.proto)()
    broken.CopyFrom(model.proto)
    for function in broken.functions:
        if function.name == "GradedIntegrateFire":
            del function.node[:]
    feeds = {**x, "timesteps": np.array(5, np.int64)}
    results = ReferenceBackend().load(broken).run(feeds, ["label"])
    assert results["label"].shape == (1,)


def test_unknown_backends_are_refused() -> None:
    with pytest.raises(SimulationError, match="choose one of: onnxruntime, reference"):
        find_backend("loihi")


def test_unavailable_backends_say_why() -> None:
    class Absent(ReferenceBackend):
        name = "absent"

        def why_unavailable(self) -> str:
            return "it needs a compiler"

    with pytest.raises(SimulationError, match="it needs a compiler"):
        find_backend("absent", (*BACKENDS, Absent()))

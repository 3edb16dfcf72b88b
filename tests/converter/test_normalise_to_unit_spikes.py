from __future__ import annotations

import numpy as np
import pytest
from tests import nets
from tests.converter.exporters.exporting import converted, samples

from onnx2snn.converter.unit_spikes.normalise import normalise_to_unit_spikes
from onnx2snn.ir.errors import ExportError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.runs.simulate import simulate

LINEAR_NETS = (
    "mlp",
    "mlp_matmul",
    "conv_bn_relu",
    "residual",
    "maxpool",
    "depthwise_relu6",
    "shared_weights",
    "nhwc",
    "leaky",
    "branches",
    "upsample",
    "torchscript_shortcut",
)


CASES = [
    *((name, "rate") for name in LINEAR_NETS),
    *((name, preset) for name in ("residual", "maxpool") for preset in ("ternary", "graded")),
]


@pytest.mark.parametrize(("name", "preset"), CASES)
def test_unit_spikes_are_the_same_spikes(name: str, preset: str) -> None:
    text = nets.NETS[name]
    model = converted(text, preset)
    unit = normalise_to_unit_spikes(model)
    assert all((layer.quantum == 1).all() for layer in unit.neurons)
    x = samples(text, 6, seed=2)
    before, after = (simulate(m, x, record="spikes") for m in (model, unit))
    total = flips = 0
    neurons = {layer.name for layer in model.neurons}
    for layer in neurons:
        record = before.layers[layer]
        if preset == "graded":
            flips += int((record.counts != after.layers[layer].counts).sum())
        else:
            flips += int((record.spikes != after.layers[layer].spikes).sum())
        total += record.counts.size * model.manifest.timesteps
    assert flips <= 1e-4 * total, f"{flips} of {total} differ"
    for output, value in before.outputs.items():
        if flips == 0:
            np.testing.assert_allclose(after.outputs[output], value, rtol=1e-4, atol=1e-4)


def test_the_given_model_stays_as_it_is() -> None:
    model = converted(nets.RESIDUAL)
    content = model.to_bytes()
    normalise_to_unit_spikes(model)
    assert model.to_bytes() == content


def test_twice_is_once() -> None:
    unit = normalise_to_unit_spikes(converted(nets.RESIDUAL))
    again = normalise_to_unit_spikes(unit)
    for first, second in zip(unit.neurons, again.neurons, strict=True):
        np.testing.assert_array_equal(first.current, second.current)
    weights = [
        [m.initializers[n.input[1]] for n in m.plain.graph.node if n.op_type == "Conv"]
        for m in (unit, again)
    ]
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_identity_shortcuts_become_scaled_synapses() -> None:
    unit = normalise_to_unit_spikes(converted(nets.RESIDUAL))
    scaled = [n for n in unit.plain.graph.node if n.op_type == "Mul"]
    added = next(n for n in unit.plain.graph.node if n.op_type == "Add")
    assert set(added.input) & {n.output[0] for n in scaled}


def test_the_unit_model_is_a_file_like_any_other() -> None:
    unit = normalise_to_unit_spikes(converted(nets.RESIDUAL))
    assert SpikingModel.from_bytes(unit.to_bytes()).to_bytes() == unit.to_bytes()
    assert "unit-spikes" in {finding.code for finding in unit.manifest.findings}


def test_a_fixed_soma_is_refused_by_name() -> None:
    model = converted(nets.COMPOSITES, "graded")
    fixed = [layer.name for layer in model.neurons if not layer.op.soma.homogeneous]
    assert fixed
    with pytest.raises(ExportError) as refusal:
        normalise_to_unit_spikes(model)
    assert [finding.node for finding in refusal.value.findings] == fixed

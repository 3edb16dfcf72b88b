"""The exported NIR in real importers; skipped where these are not installed.

They need PyTorch, so they have an environment of their own (docs/exports.md says how to make it).
"""

from __future__ import annotations

import warnings

import nir
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from onnx2snn.converter.convert import convert
from onnx2snn.converter.exporters import export
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.runs.simulate import simulate

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")
SAMPLES, TIMESTEPS = 40, 32


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    x, labels = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), labels


@pytest.fixture(scope="module")
def model(digits) -> SpikingModel:
    """A trained net of two hidden layers, converted to binary spikes."""
    x, labels = digits
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = MLPClassifier((48, 32), max_iter=60, random_state=0).fit(
            x[SAMPLES:], labels[SAMPLES:]
        )
    nodes, constants, last = [], [], "x"
    for i, (weight, bias) in enumerate(zip(net.coefs_, net.intercepts_, strict=True)):
        constants += [
            numpy_helper.from_array(weight.astype(np.float32), f"w{i}"),
            numpy_helper.from_array(bias.astype(np.float32), f"b{i}"),
        ]
        output = "y" if i == len(net.coefs_) - 1 else f"h{i}"
        nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [output], f"fc{i}"))
        if output != "y":
            nodes.append(helper.make_node("Relu", [output], [f"r{i}"], f"relu{i}"))
            last = f"r{i}"
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])],
        constants,
    )
    ann = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    spiking, _ = convert(ann, calibration=x[SAMPLES:], preset="rate", timesteps=TIMESTEPS)
    return spiking


@pytest.fixture(scope="module")
def ours(model: SpikingModel, digits) -> tuple[np.ndarray, list[float]]:
    """The read-out, and the spikes per neuron of each hidden layer."""
    found = simulate(model, digits[0][:SAMPLES], record="counts")
    layers = [found.layers[name] for name in ("relu0", "relu1")]
    return found.outputs["y"], [float(layer.counts.mean()) for layer in layers]


def graph_for(model: SpikingModel, target: str, folder) -> nir.NIRGraph:
    path = folder / f"{target}.nir"
    export(model, to="nir", target=target, allow_losses=True, output=path)
    return nir.read(path)


def counter(module, kind: type) -> dict[str, float]:
    """Count the spikes per neuron and sample of every layer of a kind."""
    counts: dict[str, float] = {}

    def count(name: str):
        def hook(_, __, output) -> None:
            spikes = output[0] if isinstance(output, tuple) else output
            neurons = spikes.shape[-1]
            counts[name] = counts.get(name, 0.0) + float(spikes.sum()) / neurons / SAMPLES

        return hook

    for name, part in module.named_modules():
        if isinstance(part, kind):
            part.register_forward_hook(count(name.split(".")[-1]))
    return counts


def run_steps(module, x: np.ndarray, restart=None) -> np.ndarray:
    """Feed one sample at a time for all timesteps; return the summed outputs."""
    sums = []
    with torch.no_grad():
        for sample in x:
            state, total = None, 0.0
            if restart:
                restart()
            for _ in range(TIMESTEPS):
                output, state = module(torch.tensor(sample), state)
                total = total + output
            sums.append(total.numpy())
    return np.stack(sums)


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    return float((first.argmax(axis=1) == second.argmax(axis=1)).mean())


def test_sinabs_counts_the_same_spikes(model, ours, digits, tmp_path) -> None:
    reader = pytest.importorskip("sinabs.nir")
    layers = pytest.importorskip("sinabs.layers")
    net = reader.from_nir(graph_for(model, "sinabs", tmp_path), batch_size=SAMPLES)
    counts = counter(net, layers.IAFSqueeze)
    x = torch.tensor(digits[0][:SAMPLES]).repeat_interleave(TIMESTEPS, 0)
    with torch.no_grad():
        output, _ = net(x)
    sums = output.reshape(SAMPLES, TIMESTEPS, -1).sum(1).numpy()
    assert agreement(sums, ours[0]) >= 0.97
    # it may emit two spikes at once, and clips potentials below minus one
    np.testing.assert_allclose([counts["relu0"], counts["relu1"]], ours[1], rtol=0.05)


def test_norse_loses_charge_to_its_hard_reset(model, ours, digits, tmp_path) -> None:
    reader = pytest.importorskip("norse.torch.utils.import_nir")
    cells = pytest.importorskip("norse.torch.module.iaf")
    net = reader.from_nir(graph_for(model, "norse", tmp_path))
    counts = counter(net, cells.IAFCell)
    sums = run_steps(net, digits[0][:SAMPLES])
    assert agreement(sums, ours[0]) >= 0.8
    assert counts["relu0"] < ours[1][0]
    assert counts["relu1"] < ours[1][1]


def test_snntorch_counts_the_same_spikes_once_it_leaks_no_more(
    model, ours, digits, tmp_path
) -> None:
    snn = pytest.importorskip("snntorch")
    reader = pytest.importorskip("snntorch.import_nir")
    net = reader.import_from_nir(graph_for(model, "snntorch", tmp_path))
    neurons = [part for part in net.modules() if isinstance(part, snn.Leaky)]
    for neuron in neurons:
        neuron.init_hidden, neuron.beta = True, torch.tensor(1.0)

    def restart() -> None:
        for neuron in neurons:
            neuron.reset_mem()

    counts = counter(net, snn.Leaky)
    sums = run_steps(net, digits[0][:SAMPLES], restart)
    assert agreement(sums, ours[0]) >= 0.97
    np.testing.assert_allclose([counts["relu0"], counts["relu1"]], ours[1], rtol=0.05)

"""Networks with lifts: run in every way, settled, and charged for."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import parser
from spiking_nets import HEADER, conv_net, images, lift_net, tokens

from onnx2snn.ir.derive.record import sources
from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.derive.settle import settle
from onnx2snn.ir.session import Session
from onnx2snn.runtime.evaluation.evaluate import evaluate
from onnx2snn.runtime.evaluation.lifts import lift_operations
from onnx2snn.runtime.runs.simulate import simulate

ANN = """
tiny (float[N, 3, 4] tokens, float[N, 3, 3] mask) => (float[N, 3, 2] scores) {
  k = Transpose <perm = [0, 2, 1]> (tokens)
  p = MatMul (tokens, k)
  h = Mul (p, mask)
  a = Softmax <axis = 2> (h)
  o = MatMul (a, tokens)
  scores = MatMul (o, w)
}"""


@pytest.mark.parametrize("stimulus", [1, 3, None], ids=["S=1", "S=3", "S=T"])
def test_every_way_to_run_gives_the_same(stimulus: int | None) -> None:
    model, x = lift_net(stimulus), tokens(4)
    whole = simulate(model, x, timesteps=6, record="spikes")
    others = {
        "steps": simulate(model, x, timesteps=6, record="spikes", memory="7KiB"),
        "scan": simulate(to_scan(model), x, timesteps=6, record="spikes"),
        "reference": simulate(model, x, timesteps=6, record="spikes", backend="reference"),
    }
    for name, other in others.items():
        np.testing.assert_allclose(  # MatMul may sum in another order
            whole.outputs["scores"], other.outputs["scores"], atol=2e-6, err_msg=name
        )
        np.testing.assert_array_equal(
            whole.layers["encoder"].spikes, other.layers["encoder"].spikes
        )


def test_settles_at_the_quantised_ann() -> None:
    model, x = lift_net(), tokens(4)
    spiking = simulate(model, x, timesteps=24).outputs["scores"]
    np.testing.assert_allclose(spiking, Session(settle(model)).run(x)["scores"], atol=1e-5)


def test_lifts_are_recorded_but_do_not_spike() -> None:
    told = {source.name: source.spiking for source in sources(lift_net())}
    assert told == {"encoder": True, "lift": False, "requantise": True}


def test_operations_by_hand() -> None:
    """Estimate 12, products 36, mask 9, softmax 9, mix 36, Increment 12."""
    assert lift_operations(lift_net(), tokens(2), 2) == 12 + 36 + 9 + 9 + 36 + 12
    assert lift_operations(conv_net(), images(1), 1) == 0


def test_lifts_are_charged_at_every_timestep() -> None:
    model = lift_net()
    ann = parser.parse_model(HEADER + ANN)
    ann.graph.initializer.extend(t for t in model.proto.graph.initializer if t.name == "w")
    result = evaluate(model, ann, tokens(5), timesteps=(1, 8))
    profile = result.energy[0]
    assert profile.analog == pytest.approx(8 * 114 * 4.6e-12)
    assert result.ann.macs_per_sample == 36 + 36 + 24
    assert result.curve[-1].relative_error < 0.05
    assert [row.name for row in result.layers] == ["encoder", "requantise"]
    rows = {row.name: row for row in result.layers}
    # encoder -> Estimate: one each; requantise -> MatMul: two each; Increment -> requantise
    events = {name: row.events_per_neuron * row.neurons for name, row in rows.items()}
    increments = rows["requantise"].synaptic_operations
    expected = events["encoder"] + 2 * events["requantise"] + increments
    assert result.curve[-1].synaptic_operations == pytest.approx(expected)

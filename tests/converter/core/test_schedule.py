"""Hold, switching off, hard reset and memory as knobs of a conversion."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from conversions import draw, run, run_settled
from onnx import parser
from tests.nets import HEADER, LEAKY, NETS, RESIDUAL, STAIRS, build

from onnx2snn.converter.catalogue import find_preset
from onnx2snn.converter.convert import convert
from onnx2snn.converter.planning.plan import plan_network
from onnx2snn.converter.planning.schedule import layer_depths
from onnx2snn.ir.derive.record import SEGMENTS, record, segments, sources
from onnx2snn.ir.errors import DataError, UnsupportedOpError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import HardResetIntegrateFire, ScheduledIntegrateFire
from onnx2snn.ir.session import Session

LEVELS = 7
SIGNED = ("leaky", "bn_conv", "composites")


def silent_steps(model: SpikingModel) -> dict[str, float]:
    nodes = [node for node in model.plain.graph.node if "Scheduled" in node.op_type]
    return {
        node.name: next(a.f for a in node.attribute if a.name == "silent_steps") for node in nodes
    }


@pytest.mark.parametrize("stimulus", [1, 5])
@pytest.mark.parametrize("name", [name for name in NETS if name not in SIGNED])
def test_held_binary_spikes_are_exact(name: str, stimulus: int) -> None:
    """Held as long as the levels, every spike is right when it is emitted."""
    ann = build(NETS[name])
    feeds = draw(ann)
    model, report = convert(
        ann, calibration=feeds, preset="rate", hold=LEVELS, levels=LEVELS, stimulus=stimulus,
        timesteps=40 * LEVELS, bias_correction=False,
    )  # fmt: skip
    waits = max(silent_steps(model).values())
    one = {key: values[:1] for key, values in feeds.items()}
    timesteps = int(waits) + LEVELS
    spiking = run(model, one, timesteps)
    for output, settled in run_settled(model, one, timesteps).items():
        # Sums over time against one product, in float32; a tie would show as a whole quantum.
        scale = max(1.0, float(np.abs(settled).max()))
        np.testing.assert_allclose(spiking[output], settled, atol=2e-6 * scale)
    told = [finding for finding in report.manifest.findings if finding.code == "held-layers"]
    assert len(told) == (waits > 0)
    assert all(f"t = {int(waits) + 1}," in finding.message for finding in told)


def test_held_binary_spikes_are_those_of_the_qcfs_net_itself() -> None:
    ann = build(STAIRS)
    feeds = draw(ann, 32)
    held, _ = convert(
        ann, calibration=feeds, preset="rate", hold=4, stimulus=4, timesteps=8, levels=4
    )
    assert {layer.alphabet for layer in held.neurons[1:]} == {"binary"}
    expected = Session(ann, optimised=False).run(feeds)["y"]
    # Weights of random nets seldom meet a step: no tie. Sums in another order: 1e-5.
    np.testing.assert_allclose(run(held, feeds, 8)["y"], expected, atol=1e-5)
    free, _ = convert(ann, calibration=feeds, preset="rate", stimulus=4, timesteps=8, levels=4)
    assert np.abs(run(free, feeds, 8)["y"] - expected).max() > 0.1


def test_depth_is_the_longest_path() -> None:
    graph = gs.import_onnx(
        parser.parse_model(
            HEADER
            + """net (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}> {
  [in] e = Relu (x)  [a] r = Relu (e)  h = MatMul (r, w)  [b] s = Relu (h)
  t = Add (s, r)  [c] u = Relu (t)  [d] v = Relu (r)  z = Add (u, v)  y = MatMul (z, w) }"""
        )
    )
    plan = plan_network(graph)
    depths = layer_depths(graph, plan.activations, inputs=("in",))
    assert depths == {"in": 0, "a": 0, "b": 1, "c": 2, "d": 1}


def test_rate_coding_gives_the_waiting_to_the_last_layer() -> None:
    ann = build(RESIDUAL)
    model, _ = convert(ann, calibration=draw(ann), preset="rate", hold=3, timesteps=30)
    waits = int(max(silent_steps(model).values()))
    assert model.manifest.stimulus == 30 - waits
    assert model.manifest.levels == 30 - waits


def test_a_hold_longer_than_the_run_is_refused() -> None:
    ann = build(RESIDUAL)
    with pytest.raises(DataError, match="silent for"):
        convert(ann, calibration=draw(ann), preset="rate", hold=64)


def test_holding_saves_events() -> None:
    ann = build(RESIDUAL)
    feeds = draw(ann, 32)
    events = []
    for hold in (0, 4):
        model, _ = convert(ann, calibration=feeds, preset="graded", hold=hold, timesteps=40)
        recorded = sources(model)
        body = record(model.plain, recorded, timesteps=model.timesteps_input)
        clock = {model.timesteps_input: np.asarray(40, np.int64), SEGMENTS: segments(40, [40])}
        found = Session(body, optimised=False).run({**feeds, **clock})
        events.append(sum(float(found[source.events].sum()) for source in recorded))
    assert events[1] < events[0]


def test_switching_off_is_in_the_file() -> None:
    ann = build(RESIDUAL)
    knobs = {"stimulus": 8, "timesteps": 16, "levels": 8}
    model, _ = convert(ann, calibration=draw(ann), preset="rate", switch_off=True, **knobs)
    nodes = [n for n in model.plain.graph.node if n.op_type == ScheduledIntegrateFire.kind]
    assert len(nodes) == 3
    for node in nodes:
        assert {a.name: a.f for a in node.attribute}["switch_off"] == 1


def test_hard_reset_is_in_the_file_and_loses_charge() -> None:
    ann = build(NETS["mlp"])
    feeds = draw(ann, 16)
    hard, _ = convert(ann, calibration=feeds, preset="rate", reset="hard", bias_correction=False)
    assert {type(layer.op) for layer in hard.neurons[1:]} == {HardResetIntegrateFire}
    soft, _ = convert(ann, calibration=feeds, preset="rate", bias_correction=False)
    settled = run_settled(soft, feeds, 64)["y"]
    errors = [np.abs(run(model, feeds, 64)["y"] - settled).sum() for model in (hard, soft)]
    assert errors[0] > errors[1]


def test_a_hard_reset_says_where_it_is_none() -> None:
    ann = build(LEAKY)
    _, report = convert(ann, calibration=draw(ann), preset="rate", reset="hard")
    assert {f.node for f in report.manifest.findings if f.code == "soft-reset-kept"}


@pytest.mark.parametrize(
    ("preset", "knobs", "words"),
    [
        ("ternary", {"reset": "hard"}, "binary"),
        ("rate", {"reset": "hard", "hold": 2}, "loses charge"),
        ("graded", {"memory": "none"}, "ternary"),
        ("rate", {"switch_off": True}, "after the stimulus"),
    ],
)
def test_contradictions_are_refused(preset: str, knobs: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        find_preset(preset).replaced(knobs)


def test_no_memory_needs_signed_activations() -> None:
    ann = build(RESIDUAL)
    with pytest.raises(UnsupportedOpError, match="never negative") as caught:
        convert(ann, calibration=draw(ann), preset="ternary", memory="none")
    assert len(caught.value.findings) == 3
    leaky = build(LEAKY)
    model, _ = convert(leaky, calibration=draw(leaky), preset="ternary", memory="none")
    layers = [layer for layer in model.neurons if layer.alphabet == "ternary"]
    assert layers
    assert all(layer.n_max == -layer.n_min >= 2**20 for layer in layers)

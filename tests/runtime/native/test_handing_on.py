"""Emissions handed on as bits, sums over time or pools read by windows are the same emissions."""

from __future__ import annotations

import numpy as np
import pytest
from event_nets import ALWAYS_DENSE, ALWAYS_EVENTS, chain_net

from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.backends.reference import ReferenceBackend
from onnx2snn.runtime.engine.lowering import lower


@pytest.mark.parametrize("dense_above", [None, ALWAYS_EVENTS, ALWAYS_DENSE])
@pytest.mark.parametrize("seed", range(8))
def test_chains_are_bit_equal(isa: str, seed: int, dense_above: float | None) -> None:
    model, image = chain_net(seed)
    feeds = {"image": image, "timesteps": np.array(1 + 5 * (seed % 8), np.int64)}
    expected = ReferenceBackend().load(model.plain).run(feeds)
    given = (
        EventBackend(dense_above, tiles=False).load(model.plain, threads=1 + seed % 2).run(feeds)
    )
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)


@pytest.mark.parametrize("seed", range(8))
def test_whole_numbers_are_the_same_by_events_and_densely(isa: str, seed: int) -> None:
    model, image = chain_net(seed)
    feeds = {"image": image, "timesteps": np.array(1 + 5 * (seed % 8), np.int64)}
    runs = [
        EventBackend(dense, weights="int8").load(model.plain, threads=1).run(feeds)
        for dense in (ALWAYS_EVENTS, ALWAYS_DENSE)
    ]
    for name, values in runs[0].items():
        np.testing.assert_array_equal(runs[1][name], values)


def test_unit_spikes_between_layers_are_bits_and_pools_are_read_by_windows() -> None:
    used = set()
    for seed in range(16):
        used |= {node.op_type for node in lower(chain_net(seed)[0].plain).graph.node}
    assert {"LayerBits", "LayerTotal"} <= used
    assert not used & {"SumPool", "AveragePool", "Total"}


def test_what_else_is_read_stays_an_output() -> None:
    """A stream that the caller reads is decoded from codes: it is not handed on as bits alone."""
    model, image = chain_net(0)
    body = model.plain
    spikes = next(node.output[0] for node in body.graph.node if node.op_type == "IntegrateFire")
    body.graph.output.add(name=spikes)
    feeds = {"image": image, "timesteps": np.array(4, np.int64)}
    expected = ReferenceBackend().load(body).run(feeds)
    given = EventBackend(tiles=False).load(body).run(feeds)
    np.testing.assert_array_equal(given[spikes], expected[spikes])

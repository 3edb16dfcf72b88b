"""Estimated energy, by hand."""

from __future__ import annotations

import pytest

from onnx2snn.runtime.evaluation.energy import (
    ENERGY_TABLES,
    EnergyTable,
    Operations,
    estimate_energy,
)


def test_the_sum_of_its_parts() -> None:
    table = EnergyTable("toy", "estimated", mac=4.0, add=1.0)
    operations = Operations(macs=100.0, synaptic=50.0, neuron_updates=20.0, analog=5.0)
    profile = estimate_energy(operations, table)
    assert (profile.ann, profile.synaptic, profile.neurons, profile.analog) == (400, 50, 20, 20)
    assert profile.snn == 90
    assert profile.ratio == 0.225


def test_no_macs_no_ratio() -> None:
    operations = Operations(macs=0.0, synaptic=1.0, neuron_updates=0.0, analog=0.0)
    assert estimate_energy(operations, ENERGY_TABLES[0]).ratio == 0.0


def test_the_tables_are_those_of_horowitz_and_say_estimated() -> None:
    figures = {table.name: (table.mac, table.add) for table in ENERGY_TABLES}
    assert figures["45nm-fp32"] == pytest.approx((4.6e-12, 0.9e-12))
    assert figures["45nm-int8"] == pytest.approx((0.23e-12, 0.03e-12))
    assert all("estimated" in table.source for table in ENERGY_TABLES)

"""Estimated energy of one inference, ANN against SNN, by the usual cost per operation.

    E_ann = MACs * mac
    E_snn = SOPs * add + neurons * T * add + analog * mac

SOPs are counted from real events and real fan-out, each digit of a graded emission as one event;
every neuron is charged one addition per timestep whether it fires or not; ``analog`` are the
multiplications by direct current, at each stimulus step, where the first layer is not spiking, and
the operations of lifts, at each timestep (:mod:`onnx2snn.runtime.evaluation.lifts`).
Memory traffic is left out on both sides. These are estimates, never measurements.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnx2snn.runtime.evaluation.results import EnergyProfile


@dataclass(frozen=True)
class EnergyTable:
    """Energies per operation, in joules.

    Attributes:
        name: name of the profile.
        source: where the figures come from.
        mac: one multiply-accumulate.
        add: one accumulate: a synaptic operation or the update of a neuron.
    """

    name: str
    source: str
    mac: float
    add: float


ENERGY_TABLES: tuple[EnergyTable, ...] = (
    EnergyTable(
        name="45nm-fp32",
        source="estimated; 45 nm, 32-bit float: Horowitz, ISSCC 2014 (multiply 3.7, add 0.9 pJ)",
        mac=4.6e-12,
        add=0.9e-12,
    ),
    EnergyTable(
        name="45nm-int8",
        source="estimated; 45 nm, 8-bit integer, both sides: Horowitz, ISSCC 2014 "
        "(multiply 0.2, add 0.03 pJ)",
        mac=0.23e-12,
        add=0.03e-12,
    ),
)


@dataclass(frozen=True)
class Operations:
    """What one inference takes, per sample.

    Attributes:
        macs: MACs of the ANN.
        synaptic: synaptic operations of the SNN.
        neuron_updates: neurons times timesteps.
        analog: multiplications of the SNN by direct current, and operations of its lifts.
    """

    macs: float
    synaptic: float
    neuron_updates: float
    analog: float


def estimate_energy(operations: Operations, table: EnergyTable) -> EnergyProfile:
    """Return the estimated energy under one table, in joules per sample."""
    ann = operations.macs * table.mac
    synaptic = operations.synaptic * table.add
    neurons = operations.neuron_updates * table.add
    analog = operations.analog * table.mac
    snn = synaptic + neurons + analog
    return EnergyProfile(
        name=table.name,
        source=table.source,
        ann=ann,
        snn=snn,
        synaptic=synaptic,
        neurons=neurons,
        analog=analog,
        ratio=snn / ann if ann > 0 else 0.0,
    )

"""Targets: what the NIR importer of each framework reads, as far as its public source tells.

A profile is data, no code. ``differences`` are what the importer does to a network however it is
written; each becomes a finding of every export to that target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onnx2snn.ir.errors import ExportError

Pools = Literal["sum", "mean", "none"]
Reset = Literal["subtract", "zero"]


@dataclass(frozen=True)
class Profile:
    """What an importer reads.

    Attributes:
        name: how the command line calls it.
        source: what the facts were read from.
        pools: pooling nodes it reads; "none" turns pools into convolutions.
        pool_padding: whether it reads the padding of pools.
        reset: what its IF does after a spike.
        bias: whether convolutions may have a bias.
        conv1d: whether it reads one-dimensional convolutions.
        joins: whether it runs a node with several inputs after all of them.
        differences: (code, message) of what it changes.
    """

    name: str
    source: str
    pools: Pools = "sum"
    pool_padding: bool = True
    reset: Reset = "zero"
    bias: bool = True
    conv1d: bool = True
    joins: bool = True
    differences: tuple[tuple[str, str], ...] = ()


NIR = Profile(name="", source="NIR 1.0.8: IF resets to v_reset")

PROFILES: tuple[Profile, ...] = (
    Profile(
        name="sinabs",
        source="sinabs 3.1.3, sinabs/nir.py",
        pool_padding=False,
        reset="subtract",
        conv1d=False,
        joins=False,
        differences=(
            (
                "several-spikes",
                "sinabs emits several spikes per timestep where the potential exceeds twice the "
                "threshold",
            ),
            ("clipped-potential", "sinabs clips potentials below minus one threshold"),
        ),
    ),
    Profile(
        name="norse",
        source="norse 1.1.0, norse/torch/utils/import_nir.py",
        pool_padding=False,
        conv1d=False,
        joins=False,
    ),
    Profile(
        name="snntorch",
        source="snntorch 1.0.0, snntorch/import_nir.py",
        pools="mean",
        reset="subtract",
        conv1d=False,
        differences=(
            ("leak", "snnTorch reads IF as a leaky neuron that keeps 0.9 of its potential"),
        ),
    ),
    Profile(
        name="spikingjelly",
        source="SpikingJelly 2.0.0.dev1, its NIR exchange",
        pools="mean",
        differences=(
            (
                "time-base",
                "SpikingJelly wants r = 1 / dt: import with dt = 1, or scale the currents",
            ),
        ),
    ),
    Profile(
        name="lava",
        source="Lava-DL 0.6.0 (archived), adapter in the NIR documentation",
        bias=False,
        conv1d=False,
        differences=(("cuba", "Lava reads IF as a current-based neuron in fixed point"),),
    ),
    Profile(
        name="spinnaker2",
        source="py-spinnaker2 and the support matrix of NIR",
        conv1d=False,
        differences=(("fixed-point", "SpiNNaker2 quantises weights to 8 bits"),),
    ),
)


def find_profile(name: str | None, profiles: tuple[Profile, ...] = PROFILES) -> Profile:
    """Return the profile of a target; plain NIR if none is named.

    Raises:
        ExportError: there is no such target.
    """
    if not name:
        return NIR
    for profile in profiles:
        if profile.name == name:
            return profile
    known = ", ".join(profile.name for profile in profiles)
    raise ExportError(f"there is no target '{name}'", remedy=f"choose one of: {known}")

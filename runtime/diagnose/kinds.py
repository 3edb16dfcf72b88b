"""The kinds of error a layer of spiking neurons can make, each with what to try against it.

All are differences of counts after T timesteps, in quanta. With level = f(X + g c) / q + v_0, what
the charge X received stands for, n the count emitted and J = clip(floor(level), n_min, n_max) the
count that the charge justifies:

    clipping            floor(level) - J, where the ANN itself goes beyond the bound
    quantisation        level - v_0 - floor(level), unless the ANN's activation has the same steps
    residual-positive   J - n > 0: charge above the threshold, not emitted by T
    residual-negative   J - n < 0, and the neuron would take the spike back, given time
    premature           J - n < 0, and it will not: a binary neuron, or v between u_neg and 0
    hard-reset          J - n > 0 in a neuron that resets to zero: the charge is gone
    gating              the difference of a gated max-pool to the max-pool of its inputs' sums

Source: the first five are the columns of the table of conversion errors in the talk of seed 0
(docs/methods.md); Bu et al., ICLR 2022, call premature spikes unevenness.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of error.

    Attributes:
        name: how results call it.
        words: what it is.
        advice: what to try, in knobs of the conversion.
    """

    name: str
    words: str
    advice: str


CLIPPING = Kind(
    "clipping",
    "activations beyond the bound of the count",
    "a wider range: threshold_rule = 'maximum', margin above 1, or (graded) more headroom",
)
QUANTISATION = Kind(
    "quantisation",
    "the activation lies between two counts",
    "more levels (with unit spikes they need as many timesteps), or the preset 'graded'",
)
RESIDUAL_POSITIVE = Kind(
    "residual-positive",
    "potential above the threshold that was not emitted by T",
    "more timesteps; a shorter stimulus at the same T (prolonged simulation); fewer levels",
)
RESIDUAL_NEGATIVE = Kind(
    "residual-negative",
    "spikes that the neuron would take back, given time",
    "more timesteps after the stimulus; hold, so that fewer spikes are wrong at first",
)
PREMATURE = Kind(
    "premature",
    "spikes that the charge does not justify, and that are not taken back",
    "the preset 'ternary' (negative spikes, bounded memory), or hold",
)
HARD_RESET = Kind(
    "hard-reset",
    "charge above the threshold that a reset to zero threw away",
    "reset = 'soft'",
)
GATING = Kind(
    "gating",
    "spikes that the gate of a max-pool passed or stopped wrongly",
    "pooling = 'increment', or 'membrane' with graded spikes",
)

KINDS: tuple[Kind, ...] = (
    CLIPPING,
    QUANTISATION,
    RESIDUAL_POSITIVE,
    RESIDUAL_NEGATIVE,
    PREMATURE,
    HARD_RESET,
    GATING,
)
"""All kinds, in the order of the switches."""

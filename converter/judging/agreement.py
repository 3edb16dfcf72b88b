"""When two sets of outputs are the same.

Numbers: the largest difference is at most 1e-4 of the largest magnitude of that output (folding
reorders sums; a wrong fold changes the result by its own size). An output stored in half precision
has 11 bits: 2e-3, two units of its last place. A source that also computes in half precision
rounds at every operator: 3 %, which a hundred roundings in a row stay below. Where a
graph has steps in it (Floor, Round, comparisons ...), reordering can move a value across a step,
so there the root mean square of the difference may reach 2 % of that of the output's spread.
A source with 8-bit quantisers moves by whole steps, and sums of points of a grid often lie right
between two others: one flipped step of a narrow output is already some percent, so there it is
10 %. Quantised outputs (8 and 16 bits) may differ by one step. Labels: other integers must be
equal, unless every floating-point output of the model agrees: then the label was borderline.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

STRICT = 1e-4
STORED_HALF = 2e-3
COMPUTED_HALF = 0.03
STEPPED = 0.02
QUANTISED = 0.1

QUANTISING_OPS = frozenset(
    {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "QLinearAdd"}
    | {"QGemm", "DynamicQuantizeMatMul"}
)

STEP_OPS = frozenset(
    {"Floor", "Round", "Ceil", "Sign", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"}
    | {"Equal", "ArgMax", "ArgMin", "TopK", "QuantizeLinear", "NonMaxSuppression", "Mod"}
    | {"DynamicQuantizeLinear", "Unique", "NonZero", "Hardmax"}
)


def agree(
    found: Mapping[str, object],
    expected: Mapping[str, object],
    *,
    stepped: bool = False,
    half: bool = False,
    quantised: bool = False,
) -> str | None:
    """None if the outputs are the same, otherwise what differs, in words.

    Args:
        found: outputs by name.
        expected: what they should be.
        stepped: the graph has steps in it.
        half: what was expected was computed in half precision throughout.
        quantised: the graph has 8-bit quantisers in it.
    """
    strict = COMPUTED_HALF if half else STRICT
    steps = QUANTISED if quantised else STEPPED if stepped else 0.0
    floats_agree = False
    labels: list[str] = []
    for name, wanted in expected.items():
        value = found.get(name)
        if not isinstance(wanted, np.ndarray) or not isinstance(value, np.ndarray):
            continue  # sequences and maps: their tensors are outputs of other nodes, judged there
        if value.shape != wanted.shape:
            return f"output '{name}' has shape {value.shape}, not {wanted.shape}"
        if wanted.dtype.kind == "f":
            problem = _compare(name, value, wanted, strict, steps)
            if problem:
                return problem
            floats_agree = True
        elif wanted.dtype.kind in "iu" and wanted.dtype.itemsize <= 2:
            if np.abs(value.astype(np.int64) - wanted.astype(np.int64)).max(initial=0) > 1:
                return f"output '{name}' differs by more than one quantisation step"
        elif not np.array_equal(value, wanted):
            labels.append(f"output '{name}' differs in {int(np.sum(value != wanted))} places")
    return labels[0] if labels and not floats_agree else None


def _compare(
    name: str,
    value: NDArray[np.generic],
    wanted: NDArray[np.generic],
    strict: float,
    steps: float,
) -> str | None:
    a, b = value.astype(np.float64), wanted.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(finite, np.isfinite(a)):
        return f"output '{name}' is not finite in other places"
    if not finite.any():
        return None
    difference, scale = np.abs(a[finite] - b[finite]), np.abs(b[finite]).max()
    # Below this, float32 sums of values of size one have no more digits to compare.
    strict = max(strict, STORED_HALF) if wanted.dtype.itemsize == 2 else strict
    if difference.max() <= strict * max(float(scale), 1e-3):
        return None
    spread = float(np.sqrt(np.mean((b[finite] - b[finite].mean()) ** 2)))
    if np.sqrt(np.mean(difference**2)) <= steps * max(spread, 1e-3):
        return None
    return f"output '{name}' differs by {difference.max():.3g} where values reach {scale:.3g}"

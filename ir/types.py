"""Names for the array types that steps and somas exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""A float32 array."""

State = tuple[Array, ...]
"""The state of one operator: one array per name in ``SpikingOp.state``."""

Parameters = Mapping[str, NDArray[np.generic]]
"""The inputs and attributes of an operator, other than its stream, by formal name."""

Alphabet = Literal["binary", "ternary", "graded"]
"""What one emission may be: {0, 1}, {-1, 0, 1}, or sums of signed powers of two."""

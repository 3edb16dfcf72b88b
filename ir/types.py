"""Names for the array types that steps and somas exchange."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""A float32 array."""

State = tuple[Array, ...]
"""The state of one operator: one array per name in ``SpikingOp.state``."""

Parameters = Mapping[str, NDArray[np.generic]]
"""The inputs and attributes of an operator, other than its stream, by formal name."""
